"""From a person's choice to the job request. Pure: every rule of the operator's is applied here."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from clusterhub.privileged.broker import Account
from clusterhub.schedulers.model import Gpus, JobRequest, Memory
from clusterhub.session.elsewhere import LAUNCHER
from clusterhub.session.launcher import NO_ENVIRONMENT
from clusterhub.session.runtime import DIRECTORY
from clusterhub.site.profile import in_home
from clusterhub.site.schema import Cluster, Environment, Profile, Site
from clusterhub.spawner.options import Choice
from clusterhub.spawner.own_environment import own_of
from clusterhub.spawner.tags import Tag

NODE_DIRECTORY = "/tmp"  # noqa: S108 - what is made in it is looked at before it is trusted
"""Where a packed environment is unpacked on a node."""
HEREDOC = "CLUSTERHUB_LAUNCHER_ENDS_HERE"
FILES_HEREDOC = "CLUSTERHUB_FILES_END_HERE"
CARRIED = (
    "home.py",
    "discretion.py",
    "deadline.py",
    "usage.py",
    "following.py",
    "certificate.py",
    "imports.py",
    "isolation.py",
    "kernels.py",
    "elsewhere.py",
    "first_page.py",
    "lookups.py",
    "runtime.py",
    "shared_files.py",
    "unpacked.py",
    "server.py",
    "lab/package.json",
    "lab/static/remoteEntry.js",
)
"""What travels beside the launcher; a module after those that it imports."""
API = "hub/api/clusterhub/"
NO_DIRECTORY = 95
"""Exit code of a job that cannot enter the directory that a person chose; none of the launcher's own."""
NO_DIRECTORY_LINE = "clusterhub: this directory cannot be entered on the node: "
"""Begins the line of a session's log that names the directory that a person chose to start in."""
ENVIRONMENT_LINE = "clusterhub: environment "
"""Begins the line of a session's log that names the directory of the environment that it runs in."""


@dataclass(frozen=True)
class SessionPaths:
    """Where a session's files lie, on the file system that hub and nodes share."""

    directory: str
    """Of the person, open to that person only."""
    server: str

    @classmethod
    def of(cls, site: Site, tag: Tag) -> SessionPaths:
        """Those of the session of that tag."""
        # With a word before it, as somebody may name a server "default", too.
        name = f"server-{tag.server}" if tag.server else "default"
        return cls(f"{site.sessions.directory}/{tag.person}", name)

    @property
    def ticket_name(self) -> str:
        """The file that holds the ticket, where tickets are files."""
        return f"{self.server}.ticket"

    @property
    def ticket(self) -> str:
        """Absolute path of the ticket."""
        return f"{self.directory}/{self.ticket_name}"

    def log_name(self, job_id: str) -> str:
        """The file that holds a job's log."""
        return f"{self.server}-{job_id}.log"

    def is_log(self, name: str) -> bool:
        """True for the name of a log of this session, of whichever job."""
        server, dash, job = name.removesuffix(".log").rpartition("-")
        return name.endswith(".log") and bool(dash and job) and server == self.server

    @property
    def log(self) -> str:
        """Absolute path of the log, with ``{job}`` for the job's id."""
        return f"{self.directory}/{self.log_name('{job}')}"


def ticket_settings(site: Site, tag: Tag, munge_uid: int | None) -> dict[str, Any]:
    """What the launcher is told about its ticket; ``munge_uid`` is the hub's own uid where there is munge."""
    if munge_uid is not None:
        return {"kind": "munge", "uid": munge_uid}
    return {"kind": "file", "path": SessionPaths.of(site, tag).ticket}


def job_request(
    site: Site,
    *,
    profile: Profile,
    choice: Choice,
    account: Account,
    tag: Tag,
    ticket: Mapping[str, Any],
    authority: str = "",
    environment: Path | None = None,
) -> JobRequest:
    """The resolved thing to submit. Nothing of a person's is left in it that was not parsed.

    ``authority`` is the certificate, in PEM, by which the job knows the hub; empty for that of a public one.
    ``environment`` is the directory to run in, or a link to it; by itself what was chosen.
    """
    cluster = site.cluster_of(profile)
    own = own_of(choice, account.home)
    python = site.python_in(environment or site.environment_path(profile, choice.environment))
    return JobRequest(
        tag=str(tag),
        name=cluster.job_name,
        person=account.name,
        log_path=SessionPaths.of(site, tag).log,
        body=_entering(choice, account)
        + _body(
            site,
            profile,
            tag,
            choice.time,
            python=str(python),
            ticket=ticket,
            authority=authority,
            own=own.as_settings(site.environment.containers, account.home) if own is not None else None,
        ),
        time_seconds=choice.time,
        warning_seconds=warning_seconds(site, choice.time),
        cpus=choice.cpus or 1,
        nodes=choice.nodes or 1,
        memory=Memory(choice.memory, "cpu" if profile.memory.per == "cpu" else "node")
        if profile.memory and choice.memory
        else None,
        gpus=Gpus(choice.gpus, choice.gpu_type or profile.gpus.type)
        if profile.gpus and choice.gpus
        else None,
        partitions=(choice.partition,) if choice.partition else profile.partition,
        account=choice.account or profile.account,
        qos=choice.qos or profile.qos,
        reservation=choice.reservation or profile.reservation,
        constraint=choice.constraint or profile.constraint,
        nice=profile.nice,
        working_directory=_directory(profile, choice, account),
        prologue=profile.prologue,
        epilogue=profile.epilogue,
        directives=(*cluster.directives, *profile.directives),
    )


def _directory(profile: Profile, choice: Choice, account: Account) -> str | None:
    """Where the session starts; None for the home directory."""
    if choice.working_directory is None:
        return profile.working_directory_of(account.name, account.home)
    return in_home(choice.working_directory, account.home)


def _entering(choice: Choice, account: Account) -> str:
    """Bash that sees to it that the session starts where the person said.

    Schedulers start a job elsewhere where they cannot enter its directory (Slurm: in /tmp). The job runs as
    the person: whether they may enter it is asked of the file system itself.
    """
    if choice.working_directory is None:
        return ""
    path = shlex.quote(in_home(choice.working_directory, account.home))
    words = shlex.quote(f"{NO_DIRECTORY_LINE}{choice.working_directory}")
    return f"cd -- {path} || {{ echo {words} >&2; exit {NO_DIRECTORY}; }}\n"


def interface_of(site: Site, cluster: Cluster) -> str:
    """Where sessions listen: on the operator's choice or on every network, but within this machine where they
    run here."""
    return "127.0.0.1" if cluster.scheduler == "local" else site.sessions.interface or ""


def warning_seconds(site: Site, time_seconds: int) -> int:
    """How long before its end a session is warned: never for more than half of its time."""
    return min(site.sessions.warn_before, time_seconds // 2)


def _body(
    site: Site,
    profile: Profile,
    tag: Tag,
    time_seconds: int,
    *,
    python: str,
    ticket: Mapping[str, Any],
    authority: str,
    own: Mapping[str, Any] | None,
) -> str:
    """Bash that runs the launcher with the environment's Python, from its own text below."""
    cluster = site.cluster_of(profile)
    base = site.hub.internal_url.rstrip("/") + site.hub.prefix + API
    ports = site.sessions.ports
    settings = {
        "claim_url": base + "claim",
        "ready_url": base + "ready",
        "time_url": base + "time",
        "authority": authority,
        "warning": warning_seconds(site, time_seconds),
        "tag": str(tag),
        "interface": interface_of(site, cluster),
        "ports": ports and [ports.low, ports.high],
        "ticket": dict(ticket),
        # The launcher gives up first: it knows what it waited for, and the hub only that it waited.
        "patience": site.sessions.start_timeout * 0.8,
    }
    if own is not None:
        settings["own"] = own
    exports = {**profile.variables, "CLUSTERHUB_SETTINGS": json.dumps(settings)}
    lines = [
        # Until the launcher goes back: bash looks at where it is whenever it looks for a program, and no
        # working directory comes along into a namespace that is entered.
        f'export {DIRECTORY}="$PWD"',
        "cd /",
        f"python={shlex.quote(python)}",
        'if [ ! -x "$python" ]; then',
        '    echo "clusterhub: there is no Python that you can run at $python on node $(uname -n)" >&2',
        f"    exit {NO_ENVIRONMENT}",
        "fi",
        # A link such as `current` may be turned to another version while Python imports: look through it
        # once.
        'if bin=$(realpath -e -- "${python%/*}"); then python=$bin/${python##*/}; fi',
        f'echo "{ENVIRONMENT_LINE}${{python%/*/*}}" >&2',
        "clusterhub_enter=()",
        *packed(site.environment),
        'export PATH="${python%/*}:${PATH:-/usr/local/bin:/usr/bin:/bin}"',
        *(f"export {name}={shlex.quote(value)}" for name, value in exports.items()),
        f"exec \"${{clusterhub_enter[@]}}\" \"$python\" -I /dev/fd/3 3<<'{HEREDOC}' 4<<'{FILES_HEREDOC}'",
        launcher_source().rstrip("\n"),
        HEREDOC,
        carried_files().rstrip("\n"),
        *(() if own is None else (f"==> {LAUNCHER} <==", launcher_source().rstrip("\n"))),
        FILES_HEREDOC,
    ]
    return "\n".join(lines) + "\n"


def packed(environment: Environment) -> list[str]:
    """Bash that chooses from where the environment is read; see `packed.sh`."""
    if environment.packed == "never":
        return []
    given = {
        "packed": environment.packed,
        "node_mounts": environment.node_mounts or "",
        "node_directory": environment.node_directory or NODE_DIRECTORY,
        "node_memory": "yes" if environment.node_directory else "",
    }
    return [
        *(f"clusterhub_{name}={shlex.quote(str(value))}" for name, value in given.items()),
        _source("packed.sh").rstrip("\n"),
    ]


@cache
def launcher_source() -> str:
    """The text of the launcher, which travels with each job."""
    return _source("launcher.py")


@cache
def carried_files() -> str:
    """The texts of the other files that travel with each job, each under a line with its name.

    They come with the script and not in the answer to a claim: a job that waited while the hub was upgraded
    then has parts that fit each other.
    """
    return "".join(f"==> {name} <==\n{_source(name)}" for name in CARRIED)


@cache
def _source(name: str) -> str:
    return resources.files("clusterhub.session").joinpath(name).read_text(encoding="utf-8")
