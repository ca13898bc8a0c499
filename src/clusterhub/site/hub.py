"""The tables of site.toml about the hub itself: `[hub]` and `[login]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from clusterhub.site.addresses import ADDRESS, BIND, DROP_INS, INTERNAL_URL, PATH, PLAIN_PATH, PORT, URL
from clusterhub.site.databases import DATABASE
from clusterhub.site.kinds import TRUTH, ListOf, matching, one_of
from clusterhub.site.people import People
from clusterhub.site.section import UNSET, Section, key

HUB_ID = matching(
    "a hub's id",
    r"(?=.{1,64}$)[a-z0-9]+(?:[.-]+[a-z0-9]+)*",
    'lower-case letters and digits, with "." or "-" between them, such as "hub.example.org"',
)
METHOD = one_of("a way to log in", "pam", "one-person")
WHEN_DISABLED = one_of("what becomes of a session", "keep", "stop")
PAM_SERVICE = matching(
    "the name of a PAM service",
    r"[a-z0-9_][a-z0-9_-]*",
    'the name of a file in /etc/pam.d, in lower-case letters, such as "login" or "sshd"',
)


class Hub(Section):
    """Where the hub is, and who looks after it."""

    heading: ClassVar[str] = "[hub]"
    about: ClassVar[str] = "Where the hub is reached, and who looks after it."

    url: Annotated[str, URL] = key(
        "The address that people type into their browser. It may have a path, where a front server has other "
        "things beside the hub.",
        example="https://jupyter.example.org",
    )
    bind: Annotated[str, BIND] = key(
        "Where the proxy listens on this machine.",
        example="127.0.0.1:8000",
        default="",
        derived="follows from `url`. For `http` to this machine alone: that address; for other `http`, and "
        "for `https` with `certificate`: its port on every address; for other `https`: `127.0.0.1:8000`, "
        "behind a front server with the certificate",
    )
    certificate: Annotated[Path, PATH] | None = key(
        "The file with the certificate that browsers are shown, and then those of its issuers, in PEM. The "
        "proxy then speaks HTTPS itself, and takes a renewed file up without ending anything.",
        example="/etc/clusterhub/tls/fullchain.pem",
        default=None,
        derived="none: HTTPS is for a front server",
    )
    certificate_key: Annotated[Path, PATH] | None = key(
        "The file with the key of `certificate`, in PEM and without a passphrase, that only the hub's "
        "account may read, or a group that it is in.",
        example="/etc/clusterhub/tls/privkey.pem",
        default=None,
    )
    redirect_port: Annotated[int, PORT] | None = key(
        "The port on which plain HTTP is answered with a redirect to HTTPS, where there is a `certificate`.",
        example=80,
        default=None,
    )
    subdomains: Annotated[bool, TRUTH] = key(
        "Whether each person's sessions have a host name of their own, below that of `url`, such as "
        "`alice.jupyter.example.org`, so that browsers keep people's pages apart. It takes names and a "
        "certificate for `*.jupyter.example.org`.",
        example=True,
        default=False,
    )
    trusted_proxies: Annotated[
        tuple[Annotated[str, ADDRESS], ...],
        ListOf("list of addresses", 'a list such as ["10.0.0.5"]', may_be_empty=True),
    ] = key(
        "The addresses of front servers on other machines: they are believed whose request it is that they "
        "pass on. One on this machine is, where the proxy listens at a loopback address.",
        example=["10.0.0.5"],
        default=(),
    )
    internal_url: Annotated[str, INTERNAL_URL] = key(
        "Where sessions on the nodes reach the hub. It needs a port; the hub listens there, with a "
        "certificate that it makes for this name.",
        example="https://gateway.example.org:8081",
        default="",
        derived="`https://127.0.0.1:8081` where every cluster is `local`, else this machine's full name "
        "and port 8081; `http` where `tls` in `[sessions]` is `false`",
    )
    id: Annotated[str, HUB_ID] = key(
        "Names this hub in the jobs that it submits. Two hubs that use one cluster need different ids; "
        "a hub whose id changes no longer knows its running sessions.",
        example="jupyter.example.org",
        default="",
        derived="host of `url`, with `-port` where the URL names one",
    )
    state_directory: Annotated[Path, PATH] = key(
        "Where the hub keeps its keys, and its database unless `database` names another, on this machine.",
        example="/var/lib/clusterhub",
        default=Path("/var/lib/clusterhub"),
    )
    database: Annotated[str, DATABASE] = key(
        "The database of people, servers and tokens, as a URL of SQLAlchemy: PostgreSQL or SQLite. It may "
        "hold no password: PostgreSQL's own means, such as `.pgpass`, keep it out of this file.",
        example="postgresql://clusterhub@db.example.org/clusterhub",
        default="",
        derived="SQLite, in the file `jupyterhub.sqlite` in `state_directory`",
    )
    admins: People = key(
        "Who may see and stop other people's sessions.", example=["alice", "@hpc-staff"], default=()
    )
    may_enter: People = key(
        "Who may go into other people's sessions, where one has the person's files and acts as the person. "
        "Each entry is a line of the audit log.",
        example=["@hpc-support"],
        default=(),
    )
    links_may_start: Annotated[bool, TRUTH] = key(
        "Whether a link to the start page with `start=now` starts what it says without a click, for who "
        "comes by an address that they typed, a bookmark or a page of this site. From anywhere else it fills "
        "the form in, as all links do otherwise.",
        example=True,
        default=False,
    )
    audit_log: Annotated[Path, PATH] = key(
        "The file of the audit log: who did what, and what came of it, as lines of JSON. The hub's account "
        "must be able to make it there.",
        example="/var/log/clusterhub/audit.jsonl",
        default=UNSET,
        derived="`audit.jsonl` in `state_directory`",
    )
    helper_log: Annotated[Path, PLAIN_PATH] | None = key(
        "A file, besides the system's log, for what the helper was asked to do as others: lines of JSON that "
        "root writes, and the hub cannot change. It belongs into a directory of root's.",
        example="/var/log/clusterhub-helper/audit.jsonl",
        default=None,
        derived="the system's log alone (`authpriv`)",
    )
    announcements: Annotated[Path, PLAIN_PATH] = key(
        "The file with what the hub's pages are to tell everybody, which is read again when it changes; see "
        "[announcements.toml](announcements-toml.md). It need not be there.",
        example="/etc/clusterhub/announcements.toml",
        default=UNSET,
        derived="`announcements.toml`, beside the site file",
    )
    conf_d: Annotated[Path, DROP_INS] = key(
        "Directory of drop-in files, `*.py`, with ordinary JupyterHub configuration, read in the order of "
        "their names.",
        example="/etc/clusterhub/conf.d",
        default=Path("conf.d"),
        derived="`conf.d`, beside the site file",
    )

    @property
    def prefix(self) -> str:
        """The path of the public URL, with a slash at both ends; ``/`` where it has none."""
        return urlsplit(self.url).path + "/"

    @property
    def bind_url(self) -> str:
        """Where the proxy listens, with the prefix, in the form of JupyterHub's ``bind_url``."""
        return self.bind + self.prefix

    @property
    def host(self) -> str:
        """The host that people type."""
        return urlsplit(self.url).hostname or ""

    @property
    def origin(self) -> str:
        """The public URL without its path."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


class Login(Section):
    """How people show who they are, and which of them are let in."""

    heading: ClassVar[str] = "[login]"
    about: ClassVar[str] = "How people show who they are, and who is let in. May be left out."

    method: Annotated[Literal["pam", "one-person"], METHOD] = key(
        "`pam`: the password of the account that people have on this machine. `one-person`: only the "
        "account that runs the hub, with a password that is made at every start; for trying it out, and for "
        "clusters that are all `local`.",
        example="pam",
        default="pam",
    )
    allow: People = key(
        "Who may log in.",
        example=["@hpc-users", "bob"],
        default=(),
        derived="everybody whom PAM accepts",
    )
    pam_service: Annotated[str, PAM_SERVICE] = key(
        "Which file in `/etc/pam.d` decides.", example="sshd", default="login"
    )
    when_disabled: Annotated[Literal["keep", "stop"], WHEN_DISABLED] = key(
        "What becomes of the running sessions of somebody whose account has expired, is locked, has a shell "
        "that lets nobody in, or is not in `allow` any more. `keep`: they go on until their time is over. "
        "`stop`: they are ended, within half an hour.",
        example="stop",
        default="keep",
    )
