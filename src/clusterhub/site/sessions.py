"""The tables of site.toml about what every session has: `[environment]` and `[sessions]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from clusterhub.site.addresses import INTERFACE, PATH, PLAIN_PATH, PORTS, Ports
from clusterhub.site.kinds import COUNT, DURATION, TRUTH, ListOf, matching, one_of
from clusterhub.site.section import UNSET, Section, key
from clusterhub.site.versions import CURRENT, PREVIOUS, Versions

KERNELS = matching(
    "the name of a kernel",
    r"[A-Za-z0-9._*?-]{1,128}",
    'the name of a kernelspec, such as "java", or a pattern, such as "scala*"',
)

PACKED = one_of("a way to use a packed version", "auto", "unpacked", "never")


CONTAINERS = one_of("what runs containers", "apptainer", "charliecloud", "podman")


class Environment(Section):
    """The Python environment that sessions run in."""

    heading: ClassVar[str] = "[environment]"
    about: ClassVar[str] = (
        "The Python environment that sessions run in. Every node needs to see it at this path."
    )

    path: Annotated[Path, PATH] = key("Its directory.", example="/shared/clusterhub/environments/current")
    python: Annotated[Path, PATH] = key(
        "Its interpreter.",
        example="/shared/clusterhub/environments/current/bin/python3.12",
        default=UNSET,
        derived="`bin/python3` in `path`",
    )
    containers: Annotated[Literal["apptainer", "charliecloud", "podman"], CONTAINERS] = key(
        "What runs the images of people who bring one, where a profile lets them (`own_image`). The nodes "
        "need to have it.",
        example="podman",
        default="apptainer",
    )
    offer: Versions = key(
        "The versions that people may pick from in profiles that name none, the first of which is preset: by "
        "name, `current` for the active one, `previous` for the one that was active before. What is not "
        'there is not offered. With `"current"` alone there is nothing to pick.',
        example=["current", "previous", "2026-05-04"],
        default=(CURRENT, PREVIOUS),
        derived='`["current", "previous"]`',
    )
    packed: Annotated[str, PACKED] = key(
        "How a session reads a version that `clusterhub environment pack` has packed: `auto`, in the fastest "
        "way that its node permits; `unpacked`, without FUSE or the kernel mounting it, from a copy on the "
        "node; `never`, from the version's directory.",
        example="unpacked",
        default="auto",
        derived='`"auto"`',
    )
    node_mounts: Annotated[Path, PATH] | None = key(
        "A directory of each node in which the images are mounted under the names of their versions, by its "
        "prologue or autofs.",
        example="/run/clusterhub/environments",
        default=None,
        derived="only a version that is mounted over its own directory is found",
    )
    node_directory: Annotated[Path, PATH] | None = key(
        "A directory of each node for what has to be unpacked, of which each person gets a part. If it is "
        "memory, the copy counts as memory of the job.",
        example="/local/scratch",
        default=None,
        derived="`/tmp`, unless that is memory",
    )


class Sessions(Section):
    """Where sessions listen, where they log, how long they may take to start, and when they are warned."""

    heading: ClassVar[str] = "[sessions]"
    about: ClassVar[str] = (
        "Where sessions listen, where they log, how long they may take to start, and when they are warned. "
        "May be left out."
    )

    directory: Annotated[Path, PLAIN_PATH] = key(
        "Where the logs of sessions go, in a directory for each person. This machine and the nodes need to "
        "see it at this path.",
        example="/shared/clusterhub/sessions",
        default=UNSET,
        derived="`sessions`, beside the directory that holds the environments",
    )
    ports: Annotated[Ports, PORTS] | None = key(
        "The ports of the nodes that sessions may listen on.",
        example="30000-32000",
        default=None,
        derived="any port that is free",
    )
    interface: Annotated[str, INTERFACE] | None = key(
        "The network interface of the nodes that sessions listen on, or one address.",
        example="ib0",
        default=None,
        derived="all",
    )
    tls: Annotated[bool, TRUTH] = key(
        "Whether proxy and hub speak TLS with the sessions, and the sessions with the hub, each with "
        "certificates that the hub makes. With `false` it is plain HTTP: whoever can read the network "
        "between gateway and nodes, or take over a port, reads and writes what people do.",
        example=False,
        default=True,
    )
    start_timeout: Annotated[int, DURATION] = key(
        "How long a session may take from the start of its job until it serves.",
        example="10min",
        default=300,
        derived='`"5min"`',
    )
    queue_timeout: Annotated[int, DURATION] = key(
        "How long a job may wait in the queue before it is given up.",
        example="7d",
        default=86400,
        derived='`"1d"`',
    )
    warn_before: Annotated[int, DURATION] = key(
        "How long before a session's time limit its person is warned, and what is open in the browser is "
        "saved; never for more than half of the session's time.",
        example="10min",
        default=300,
        derived='`"5min"`',
    )
    per_person: Annotated[int, COUNT] | None = key(
        "How many servers a person may have: the default one, and further ones with names. With 1 there are "
        "no further ones.",
        example=3,
        default=None,
        derived="no limit but those of the scheduler",
    )
    user_config: Annotated[bool, TRUTH] = key(
        "Whether the server of a session loads Jupyter configuration, extensions and templates from its "
        "person's home directory, where what lies there by mistake can keep it from starting. Settings of "
        "JupyterLab and people's own kernels are there in any case.",
        example=True,
        default=False,
    )
    sqlite_in_home: Annotated[bool, TRUTH] = key(
        "Whether what Jupyter keeps in SQLite lies in people's home directories: IPython's history, which "
        "notebooks are trusted, ids of files. On NFS and Lustre locks of SQLite can hang for ever; without "
        "them history lasts as long as the session. See [every setting of a session](session-settings.md).",
        example=True,
        default=False,
    )
    tcp_kernels: Annotated[
        tuple[Annotated[str, KERNELS], ...],
        ListOf("list of kernels' names", 'a list such as ["java", "scala*"]'),
    ] = key(
        "Kernels that can listen on ports only, by the names of their kernelspecs; `*` stands for anything. "
        "What they print can be read by everybody on the node, unless they encrypt. All other kernels listen "
        "on sockets that only their person can open.",
        example=["java", "scala*"],
        default=(),
    )
