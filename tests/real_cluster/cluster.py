"""A real Slurm cluster on this machine: bring it up, run things in it, take it down."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from clusterhub.errors import ClusterhubError

from . import accounting, configuration, daemons, environment, hosts, people, processes, remains
from .layout import (
    CACHE,
    DATA,
    GATEWAY,
    HOSTS,
    HUB_PORT,
    N2,
    NEEDED_COMMANDS,
    NODES,
    PEOPLE,
    SHARED,
    SLURM_BIN,
    SWITCH,
    Person,
)
from .state import State, load

NODES_IDLE_TIMEOUT = 30.0
"""Seconds from the start of slurmd until the controller lists the node as idle."""


def missing_requirements() -> str:
    """Why no cluster can be made on this machine; empty where it can."""
    if sys.platform != "linux":
        return "a real Slurm cluster needs Linux"
    if os.geteuid() != 0:
        return "a real Slurm cluster needs root (namespaces, users, daemons)"
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = sorted({package for name, package in NEEDED_COMMANDS.items() if not shutil.which(name, path=search)})
    if missing:
        return f"not installed: {' '.join(missing)} (apt-get install {' '.join(missing)})"
    return ""


class RealCluster:
    """The cluster of this machine; there is one at most. All methods may be called by any process of root."""

    addresses: Mapping[str, str] = {name: host.address for name, host in HOSTS.items()}
    people: Mapping[str, Person] = {person.name: person for person in PEOPLE}
    shared = SHARED
    environment_path = SHARED / "environments" / "current"
    data = DATA
    slurm_bin = SLURM_BIN

    def __init__(self, report: Callable[[str], None] = lambda _line: None) -> None:
        """``report`` gets a line for each step."""
        self.report = report

    # --- up and down -------------------------------------------------------------------------------

    def up(self, port: int = HUB_PORT) -> bool:
        """Ensure that the cluster is up; ``port`` of the machine's loopback leads to the hub on the gateway.

        False if it was up already. After a failure or an interrupt nothing is left of what was made.
        """
        problem = missing_requirements()
        if problem:
            raise ClusterhubError(f"No cluster can be made here: {problem}.")
        with one_at_a_time():
            state = load()
            if state.complete and self._hosts_alive(state):
                missing = [daemon for daemon in self.every_daemon() if not self.is_running(daemon)]
                for daemon in missing:
                    with self._step(f"{daemon.name} on {daemon.host.name}, which was not running"):
                        self.start(daemon)
                return bool(missing)
            if DATA.exists():
                with self._step("remove what an earlier cluster left"):
                    remains.remove(state)
            try:
                self._make(port)
            except BaseException:
                with self._step("take down what was made"):
                    remains.remove(load())
                raise
        return True

    def _make(self, port: int) -> None:
        state = State(port=port)
        people.refuse_foreign(state)
        if SHARED.exists():
            raise ClusterhubError(
                f"{SHARED} is there already, and this cluster did not make it.",
                next="Move it away; `up` makes it and `down` removes it.",
            )
        listening = listen(port)
        state.save()
        with listening:
            with self._step("hosts and network"):
                self._make_hosts(state)
                self._forward(state, listening)
            with self._step("users"):
                people.ensure(state)
            with self._step("shared file system"):
                self._make_shared(state)
        cached = environment.is_cached()
        with self._step("environment for sessions" + ("" if cached else " (built once, a minute)")):
            environment.ensure()
        with self._step("munge"):
            key = secrets.token_bytes(128)
            for host in HOSTS.values():
                self._place_key(host.directory / "munge", key)
                self.start(daemons.munged(host))
        with self._step("database"):
            accounting.prepare_database()
            self.start(daemons.mariadbd())
        with self._step("slurmdbd, accounts and QOS"):
            self._write_configuration()
            self.start(daemons.SLURMDBD)
            accounting.add_accounts(lambda argv: self.run(GATEWAY.name, argv, timeout=60))
        with self._step("slurmctld"):
            self.start(daemons.SLURMCTLD)
        with self._step("slurmd on both nodes"):
            for node in NODES:
                self.start(daemons.slurmd(node))
            self.wait_for_nodes()
        state.complete = True
        state.save()

    def down(self) -> None:
        """Remove the cluster and everything that it left; does nothing where there is none."""
        with one_at_a_time():
            state = load()
            there = remains.find(state)
            if DATA.exists() or there:
                with self._step("take down hosts, users and files"):
                    remains.remove(state)

    @staticmethod
    def purge() -> None:
        """Remove the cache as well: the session environment and the empty database."""
        shutil.rmtree(CACHE, ignore_errors=True)

    def footprint(self) -> State:
        """What there is of the cluster now; give it to `remains.find` after `down` to see what is left."""
        return load()

    @contextlib.contextmanager
    def _step(self, doing: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except ClusterhubError:
            self.report(f"  {doing}: FAILED after {time.monotonic() - started:.1f} s")
            raise
        self.report(f"  {doing}: {time.monotonic() - started:.1f} s")

    def _hosts_alive(self, state: State) -> bool:
        return set(state.hosts) == {*HOSTS, SWITCH.name} and all(
            processes.is_alive(pid) and processes.has_marker(pid) for pid in state.hosts.values()
        )

    def _make_hosts(self, state: State) -> None:
        hosts.prepare_files()
        (DATA / "etc" / "hosts").write_text(configuration.hosts_file())
        for host in (SWITCH, *HOSTS.values()):
            pid = hosts.start(host)
            state.hosts[host.name] = pid
            state.namespaces = sorted({*state.namespaces, *processes.namespaces_of(pid)})
            state.save()
        hosts.connect(state.hosts)

    def _forward(self, state: State, listening: socket.socket) -> None:
        program = Path(__file__).with_name("forwarder.py")
        arguments = [str(listening.fileno()), str(state.hosts[GATEWAY.name]), GATEWAY.address, str(HUB_PORT)]
        process = subprocess.Popen(
            [hosts.PYTHON, "-I", str(program), *arguments],
            env=hosts.marked_environment(),
            cwd="/",
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(DATA / "forwarder.log").open("w"),
            start_new_session=True,
        )
        state.forwarder = process.pid
        state.save()

    def _make_shared(self, state: State) -> None:
        for directory in (SHARED.parent, SHARED):
            if not directory.exists():
                state.directories.append(str(directory))
                state.save()
                directory.mkdir()
                directory.chmod(0o755)
        for name in ("environments", "sessions"):
            (SHARED / name).mkdir()
            (SHARED / name).chmod(0o755)

    def _place_key(self, directory: Path, key: bytes) -> None:
        directory.mkdir(parents=True)
        path = directory / "key"
        path.touch(0o400)
        path.write_bytes(key)
        shutil.chown(path, "munge")

    def _write_configuration(self) -> None:
        etc = DATA / "etc" / "slurm"
        (etc / "slurm.conf").write_text(configuration.slurm_conf())
        (etc / "gres.conf").write_text(configuration.gres_conf())
        secret = etc / "slurmdbd.conf"
        secret.touch(0o600)
        secret.write_text(configuration.slurmdbd_conf())
        shutil.chown(secret, "slurm")

    # --- daemons -----------------------------------------------------------------------------------

    @staticmethod
    def every_daemon() -> tuple[daemons.Daemon, ...]:
        """All daemons in the order of their start."""
        return (
            *(daemons.munged(host) for host in HOSTS.values()),
            daemons.mariadbd(),
            daemons.SLURMDBD,
            daemons.SLURMCTLD,
            *(daemons.slurmd(node) for node in NODES),
        )

    slurmctld = daemons.SLURMCTLD
    slurmdbd = daemons.SLURMDBD

    @staticmethod
    def slurmd(host: str) -> daemons.Daemon:
        """The slurmd of a node, for `start`, `stop` and `daemon_pid`."""
        return daemons.slurmd(HOSTS[host])

    def start(self, daemon: daemons.Daemon) -> None:
        """Ensure that a daemon runs and answers."""
        daemons.start(daemon, self.init_pid(daemon.host.name))

    def stop(self, daemon: daemons.Daemon) -> None:
        """Ensure that a daemon does not run; it is given the time to save what it knows."""
        daemons.stop(daemon, self.init_pid(daemon.host.name))

    def daemon_pid(self, daemon: daemons.Daemon) -> int | None:
        """The daemon's process id on the machine, to kill or stop it; None where it does not run."""
        return daemons.pid_of(daemon, self.init_pid(daemon.host.name))

    def is_running(self, daemon: daemons.Daemon) -> bool:
        """Whether the daemon's process is there."""
        return self.daemon_pid(daemon) is not None

    @property
    def controller_log(self) -> Path:
        """The log of slurmctld."""
        return daemons.SLURMCTLD.log

    # --- run something -----------------------------------------------------------------------------

    def init_pid(self, host: str) -> int:
        """The process id, on the machine, of a host's process 1."""
        pid = load().hosts.get(host)
        if pid is None or not processes.has_marker(pid):
            known = ", ".join(HOSTS)
            raise ClusterhubError(
                f"There is no running host {host!r}.",
                next=f"`scripts/cluster up` brings the cluster up. Hosts: {known}." if host in HOSTS else f"Hosts: {known}.",
            )
        return pid

    def argv(
        self, host: str, argv: Sequence[str], user: str | None = None, env: Mapping[str, str] | None = None
    ) -> list[str]:
        """The command line that runs ``argv`` in a host as ``user``, root if None, with a clean environment."""
        return hosts.command_argv(self.init_pid(host), argv, user, env)

    def run(
        self,
        host: str,
        argv: Sequence[str],
        user: str | None = None,
        *,
        timeout: float = 30.0,
        input: str | None = None,  # noqa: A002 - the name that subprocess.run has for it
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a host to its end. Raises `subprocess.TimeoutExpired` after ``timeout`` seconds."""
        source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        return subprocess.run(
            self.argv(host, argv, user, env), capture_output=True, text=True, timeout=timeout, check=False, **source
        )

    def popen(
        self,
        host: str,
        argv: Sequence[str],
        user: str | None = None,
        *,
        stdout: int | IO[Any] | None = subprocess.PIPE,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a command in a host; it dies with the process that this returns."""
        return subprocess.Popen(
            self.argv(host, argv, user, env),
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def connect(self, host: str, address: str, port: int) -> socket.socket:
        """A TCP connection that begins at ``host``."""
        return processes.connect_from(self.init_pid(host), address, port)

    # --- Slurm -------------------------------------------------------------------------------------

    def wait_for_nodes(self, timeout: float = NODES_IDLE_TIMEOUT) -> None:
        """Wait until both nodes are idle."""
        answer = ""

        def all_idle() -> bool:
            nonlocal answer
            answer = self.run(GATEWAY.name, ["sinfo", "-h", "-N", "-o", "%N %T"]).stdout
            return {*answer.splitlines()} == {f"{node.name} idle" for node in NODES}

        if not processes.wait_until(all_idle, timeout, pause=0.1):
            raise ClusterhubError(
                f"The nodes are not idle after {timeout:.0f} s; sinfo says: {' / '.join(answer.split(chr(10)))}",
                where=str(daemons.SLURMCTLD.log),
                log=daemons.last_lines(daemons.SLURMCTLD) + daemons.last_lines(daemons.slurmd(N2)),
            )

    def job_state(self, job_id: str) -> str:
        """Slurm's word for a job's state, from the controller or, when that forgot it, from accounting."""
        shown = self.run(GATEWAY.name, ["squeue", "-h", "-t", "all", "-j", job_id, "-o", "%T"])
        if shown.returncode == 0 and shown.stdout.strip():
            return shown.stdout.split()[0]
        told = self.run(GATEWAY.name, ["sacct", "-X", "-n", "-P", "-j", job_id, "-o", "State"])
        return told.stdout.split()[0] if told.stdout.strip() else ""

    def wait_for_job(self, job_id: str, states: str | Sequence[str], timeout: float = 30.0) -> str:
        """Wait until a job has one of these states (``RUNNING``, ``COMPLETED`` ...); returns it."""
        wanted = {states} if isinstance(states, str) else set(states)
        state = ""

        def reached() -> bool:
            nonlocal state
            state = self.job_state(job_id)
            return state in wanted

        if not processes.wait_until(reached, timeout, pause=0.1):
            raise TimeoutError(f"job {job_id} is {state!r} after {timeout:.0f} s, not {' or '.join(sorted(wanted))}")
        return state

    # --- what there is -----------------------------------------------------------------------------

    def status(self) -> list[str]:
        """Lines that say what runs; the first says whether the cluster is up."""
        state = load()
        if not state.hosts:
            return ["The cluster is down."]
        if not self._hosts_alive(state):
            return ["The cluster is broken: not all of its hosts run. `up` makes it anew, `down` removes it."]
        lines = ["The cluster is up." if state.complete else "The cluster is being made."]
        for host in HOSTS.values():
            running = [daemon for daemon in self.every_daemon() if daemon.host == host]
            words = [f"{daemon.name} {self.daemon_pid(daemon) or 'NOT RUNNING'}" for daemon in running]
            lines.append(f"  {host.name:8} {host.address:11} {', '.join(words)}")
        if state.complete and self.is_running(daemons.SLURMCTLD):
            lines += ["", *self.run(GATEWAY.name, ["sinfo"]).stdout.splitlines()]
        return lines


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


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the machine's only right to change the cluster; the kernel gives it back however we end."""
    remains.refuse_inside()
    lock = socket.socket(socket.AF_UNIX)
    with lock:
        try:
            lock.bind("\0clusterhub-cluster")
        except OSError as error:
            raise ClusterhubError(
                "Another process brings this cluster up or down right now.", next="Wait for its end."
            ) from error
        yield
