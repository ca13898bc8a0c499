"""The making of a cluster, step by step. Each step records what it makes before it makes it."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from clusterhub.errors import ClusterhubError

from . import accounting, cgroups, configuration, daemons, environment, hosts, people, processes
from .layout import DATA, GATEWAY, HOSTS, HUB_FILES, HUB_PORT, NODES, SHARED, SWITCH, Node
from .state import State

Report = Callable[[str], None]
"""Takes a line about a step that was done."""


@contextlib.contextmanager
def step(report: Report, doing: str) -> Iterator[None]:
    """Report what was done and how many seconds it took, or that it failed."""
    started = time.monotonic()
    try:
        yield
    except BaseException as error:
        word = "FAILED" if isinstance(error, Exception) else "interrupted"
        report(f"  {doing}: {word} after {time.monotonic() - started:.1f} s")
        raise
    report(f"  {doing}: {time.monotonic() - started:.1f} s")


def make(port: int, node: Node, report: Report) -> State:
    """Make all of it up to daemons that answer. ``port`` 0 takes any that is free; ``node`` is each node."""
    state = State()
    people.refuse_foreign(state)
    if SHARED.exists():
        raise ClusterhubError(
            f"{SHARED} is there already, and this cluster did not make it.",
            next="Move it away; `up` makes it and `down` removes it.",
        )
    with listen(port) as listening:
        state.port = listening.getsockname()[1]
        state.save()
        with step(report, "hosts and network"):
            make_hosts(state)
            forward(state, listening)
    with step(report, "users"):
        people.ensure(state)
    with step(report, "shared file system"):
        make_shared(state)
    cached = environment.is_cached()
    with step(report, "environment for sessions" + ("" if cached else " (built once, a minute)")):
        environment.ensure()
    start_daemons(state, node, report)
    return state


def start_daemons(state: State, node: Node, report: Report) -> None:
    """Configure and start every daemon, each when those that it needs answer."""

    def on_gateway(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        line = hosts.command_argv(state.hosts[GATEWAY.name], argv)
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    def start(daemon: daemons.Daemon) -> None:
        daemons.start(daemon, state.hosts[daemon.host.name])

    with step(report, "munge"):
        key = secrets.token_bytes(128)
        for host in HOSTS.values():
            place_key(host.directory / "munge", key)
            start(daemons.munged(host))
    with step(report, "database"):
        accounting.prepare_database()
        start(daemons.mariadbd())
    with step(report, "slurmdbd, accounts and QOS"):
        if cgroups.usable():
            state.cgroups = [str(path) for path in cgroups.directories()]
            state.save()
        write_configuration(node, with_cgroups=bool(state.cgroups))
        start(daemons.SLURMDBD)
        accounting.add_accounts(on_gateway)
    with step(report, "slurmctld"):
        start(daemons.SLURMCTLD)
    with step(report, "slurmd on both nodes"):
        for host in NODES:
            start(daemons.slurmd(host))


def make_hosts(state: State) -> None:
    """Start the hosts' namespaces and join them."""
    hosts.prepare_files()
    make_directory(state, HUB_FILES)
    (DATA / "etc" / "hosts").write_text(configuration.hosts_file())
    for host in (SWITCH, *HOSTS.values()):
        pid = hosts.start(host)
        state.hosts[host.name] = pid
        state.namespaces = sorted({*state.namespaces, *processes.namespaces_of(pid)})
        state.save()
    hosts.connect(state.hosts)


def make_shared(state: State) -> None:
    """Make the shared file system's directories; hosts see the machine's root, so no mount is needed."""
    for directory in (SHARED.parent, SHARED):
        make_directory(state, directory)
    for name in ("environments", "sessions"):
        (SHARED / name).mkdir()
        (SHARED / name).chmod(0o755)


def make_directory(state: State, path: Path) -> None:
    """Make a directory outside of our own, recording it before, unless it is there."""
    if not path.exists():
        state.directories.append(str(path))
        state.save()
        path.mkdir()
        path.chmod(0o755)


def place_key(directory: Path, key: bytes) -> None:
    """Write a munge key that only munge may read."""
    directory.mkdir(parents=True)
    path = directory / "key"
    path.touch(0o400)
    path.write_bytes(key)
    shutil.chown(path, "munge")


def write_configuration(node: Node, *, with_cgroups: bool) -> None:
    """Write Slurm's files; every host sees this one directory as /etc/slurm."""
    etc = DATA / "etc" / "slurm"
    (etc / "slurm.conf").write_text(configuration.slurm_conf(cgroups=with_cgroups, each=node))
    (etc / "gres.conf").write_text(configuration.gres_conf())
    if with_cgroups:
        (etc / "cgroup.conf").write_text(configuration.cgroup_conf())
    secret = etc / "slurmdbd.conf"
    secret.touch(0o600)
    secret.write_text(configuration.slurmdbd_conf())
    shutil.chown(secret, "slurm")


def listen(port: int) -> socket.socket:
    """The listening socket of the machine's loopback that leads to the hub."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise ClusterhubError(
            f"Port {port} of 127.0.0.1 cannot be used: {error.strerror}.",
            next="End what listens there (`ss -tlnp` shows it), or take another port with --port.",
        ) from error
    return listening


def forward(state: State, listening: socket.socket) -> None:
    """Start the process that leads from this socket to the hub's port on the gateway."""
    state.forwarder = start_forwarder(state, listening, HUB_PORT).pid
    state.save()


def start_forwarder(state: State, listening: socket.socket, port: int) -> subprocess.Popen[bytes]:
    """The process that leads from this socket to that port on the gateway."""
    program = Path(__file__).with_name("forwarder.py")
    arguments = [str(listening.fileno()), str(state.hosts[GATEWAY.name]), GATEWAY.address, str(port)]
    with (DATA / f"forwarder-{port}.log").open("w") as log:
        return subprocess.Popen(
            [hosts.PYTHON, "-I", str(program), *arguments],
            env=hosts.marked_environment(),
            cwd="/",
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )


def forwards(state: State) -> bool:
    """Whether that process runs."""
    return processes.is_alive(state.forwarder) and processes.has_marker(state.forwarder)
