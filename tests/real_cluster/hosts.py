"""Hosts as namespaces: start one, join them to a network, run something inside."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clusterhub.errors import ClusterhubError

from .layout import (
    DATA,
    GATEWAY,
    GPUS,
    HOSTS,
    HUB_FILES,
    MARKER_NAME,
    N2,
    NODES,
    REPOSITORY,
    SETUP_OVERLAYS,
    SWITCH,
    Host,
)

PYTHON = "/usr/bin/python3"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OWN_DIRECTORIES = (("/run", "755"), ("/tmp", "1777"), ("/dev/shm", "1777"))  # noqa: S108 - each host's own
RUN_DIRECTORIES = (
    ("/run/lock", "root", "1777"),
    ("/run/munge", "munge", "755"),
    ("/run/slurm", "slurm", "755"),
    ("/run/mysqld", "mysql", "755"),
)


def marked_environment() -> dict[str, str]:
    """A small environment with the marker by which `down` finds a process."""
    return {"PATH": PATH, "LANG": "C.UTF-8", MARKER_NAME: str(DATA)}


def start(host: Host) -> int:
    """Start a host's process 1 and return its process id on the machine."""
    is_switch = host == SWITCH
    # A checkout or its venv may lie in a directory that each host has for itself, such as /tmp.
    visible = {str(REPOSITORY), sys.prefix, os.environ.get("CLUSTERHUB_VENV", "")} - {""}
    own = [
        *OWN_DIRECTORIES,
        *((path, "755") for path in sorted({closed_ancestor(path) for path in visible}) if path),
    ]
    spec = {
        "hostname": host.name,
        "tmpfs": [] if is_switch else own,
        "keep": sorted(
            path for path in visible if not is_switch and any(path.startswith(f"{top}/") for top, _ in own)
        ),
        "directories": [] if is_switch else RUN_DIRECTORIES,
        "binds": []
        if is_switch
        else [
            (str(DATA / "etc" / "hosts"), "/etc/hosts"),
            (str(host.directory / "hostname"), "/etc/hostname"),
            (str(DATA / "etc" / "slurm"), "/etc/slurm"),
            *([(str(DATA / "etc" / "clusterhub"), str(HUB_FILES))] if host == GATEWAY else []),
        ],
        "overlays": SETUP_OVERLAYS if host == GATEWAY else [],
        "gpus": GPUS if host == N2 else 0,
        "fuse": host in NODES,
    }
    program = Path(__file__).with_name("host_init.py")
    done = subprocess.run(
        [PYTHON, "-I", str(program), json.dumps(spec)],
        env=marked_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterhubError(
            f"The host {host.name} could not be made: {done.stderr.strip()}",
            next="Namespaces need root and CAP_SYS_ADMIN; in a container start it with --privileged.",
        )
    return int(done.stdout)


def closed_ancestor(path: str) -> str:
    """The outermost directory above it that only its owner may enter, such as /root; empty where none is.

    Hosts have an empty one in its place that everybody may enter, with nothing but what is kept of it: the
    hub's account has to reach a checkout that lies in there.
    """
    if any(path.startswith(f"{top}/") for top, _ in OWN_DIRECTORIES):
        return ""
    closed = (each for each in reversed(Path(path).parents) if not each.stat().st_mode & 0o001)
    return str(next(closed, ""))


def connect(pids: Mapping[str, int]) -> None:
    """Join the hosts by a bridge that lies in the switch's namespace."""
    switch = ["link add br0 type bridge", "link set br0 up"]
    for host in HOSTS.values():
        switch += [
            f"link add {host.name} type veth peer name eth0 netns {pids[host.name]}",
            f"link set {host.name} master br0 up",
        ]
    _ip(pids[SWITCH.name], switch)
    for host in HOSTS.values():
        lines = ["link set lo up", f"address add {host.address}/24 dev eth0", "link set eth0 up"]
        _ip(pids[host.name], lines)


def set_link(switch_pid: int, host: Host, *, up: bool) -> None:
    """Plug the host's cable into the switch, or pull it out."""
    _ip(switch_pid, [f"link set {host.name} {'up' if up else 'down'}"])


def _ip(pid: int, lines: Sequence[str]) -> None:
    # Only the network of that process: `ip ... netns PID` means the machine's process ids.
    done = subprocess.run(
        ["/usr/bin/nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-batch", "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterhubError(
            "The network between the hosts could not be changed.", log=tuple(done.stderr.splitlines())
        )


def enter_argv(init_pid: int) -> list[str]:
    """The beginning of a command line that runs what follows inside the host, as root."""
    return ["/usr/bin/nsenter", f"--target={init_pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--"]


def command_argv(
    init_pid: int, argv: Sequence[str], user: str | None = None, environment: Mapping[str, str] | None = None
) -> list[str]:
    """A command line that runs ``argv`` in the host as ``user`` (root if None) with a clean environment.

    The command dies with the process that this line starts, so whoever started it can end it.
    """
    entry = pwd.getpwnam(user or "root")
    home = entry.pw_dir if Path(entry.pw_dir).is_dir() else "/"
    variables = {
        "HOME": entry.pw_dir,
        "USER": entry.pw_name,
        "LOGNAME": entry.pw_name,
        "SHELL": entry.pw_shell,
        "PATH": PATH,
        "LANG": "C.UTF-8",
        **(environment or {}),
    }
    credentials = [
        "setpriv",
        "--pdeathsig=KILL",
        f"--reuid={entry.pw_uid}",
        f"--regid={entry.pw_gid}",
        "--init-groups",
        "--",
    ]
    assignments = [f"{name}={value}" for name, value in variables.items()]
    return [*enter_argv(init_pid), *credentials, "env", "-i", f"--chdir={home}", *assignments, *argv]


def prepare_files() -> None:
    """Directories that hosts need before they start."""
    for name in ("slurm", "clusterhub"):
        (DATA / "etc" / name).mkdir(parents=True, exist_ok=True)
    for host in HOSTS.values():
        host.directory.mkdir(exist_ok=True)
        (host.directory / "hostname").write_text(host.name + "\n")
        (host.directory / "run").mkdir(exist_ok=True)
