"""A real Slurm cluster on this machine: bring it up, run things in it, take it down."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from clusterhub.errors import ClusterhubError

from . import accounting, construction, daemons, hosts, people, processes, remains
from .construction import Report, step
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
    USUAL_NODE,
    Node,
    Person,
)
from .state import State, load

LOCK = Path("/run/lock/clusterhub-cluster")
"""Held while the cluster of this machine is made or taken down."""

NODES_READY_TIMEOUT = 30.0
"""Seconds from the start of slurmd until the controller says that the node takes jobs."""


def missing_requirements() -> str:
    """Why no cluster can be made on this machine; empty where it can."""
    if sys.platform != "linux":
        return "a real Slurm cluster needs Linux"
    if os.geteuid() != 0:
        return "a real Slurm cluster needs root (namespaces, users, daemons)"
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = sorted(
        {package for name, package in NEEDED_COMMANDS.items() if not shutil.which(name, path=search)}
    )
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

    def __init__(self, report: Report = lambda _line: None, node: Node = USUAL_NODE) -> None:
        """``report`` gets a line for each step; ``node`` is each node of a cluster that `up` makes."""
        self.report = report
        self.node = node

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
                    with step(self.report, f"{daemon.name} on {daemon.host.name}, which was not running"):
                        self.start(daemon)
                if construction.forwards(state):
                    return bool(missing)
                with (
                    step(self.report, "the port that leads to the hub, which was closed"),
                    construction.listen(state.port) as listening,
                ):
                    construction.forward(state, listening)
                return True
            if DATA.exists():
                with step(self.report, "remove what an earlier cluster left"):
                    remains.remove(state)
            try:
                self._make(port)
            except BaseException:
                if DATA.exists():
                    with step(self.report, "take down what was made"):
                        remains.remove(load())
                raise
        return True

    def _make(self, port: int) -> None:
        state = construction.make(port, self.node, self.report)
        with step(self.report, "nodes ready for jobs"):
            self.wait_for_nodes()
        state.complete = True
        state.save()

    def down(self) -> None:
        """Remove the cluster and everything that it left; does nothing where there is none."""
        with one_at_a_time():
            state = load()
            there = remains.find(state)
            if DATA.exists() or there:
                with step(self.report, "take down hosts, users and files"):
                    remains.remove(state)

    @staticmethod
    def purge() -> None:
        """Remove the cache as well: the session environment and the empty database."""
        shutil.rmtree(CACHE, ignore_errors=True)

    def add_people(self, added: Sequence[Person]) -> None:
        """Ensure that these are users of the machine and of Slurm as well; `down` removes them, too."""
        with one_at_a_time(), step(self.report, f"{len(added)} more users"):
            state = load()
            people.refuse_foreign(state, added)
            people.ensure(state, added)
            accounting.add_users(lambda argv: self.run(GATEWAY.name, argv, timeout=60), added)

    def footprint(self) -> State:
        """What there is of the cluster now; give it to `remains.find` after `down` to see what is left."""
        return load()

    def is_up(self) -> bool:
        """Whether a cluster is there to be used; what a crash of the machine left is none."""
        state = load()
        return state.complete and self._hosts_alive(state)

    def _hosts_alive(self, state: State) -> bool:
        return set(state.hosts) == {*HOSTS, SWITCH.name} and all(
            processes.is_alive(pid) and processes.has_marker(pid) for pid in state.hosts.values()
        )

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
        init_pid = load().hosts.get(daemon.host.name)
        return None if init_pid is None else daemons.pid_of(daemon, init_pid)

    def is_running(self, daemon: daemons.Daemon) -> bool:
        """Whether the daemon's process is there."""
        return self.daemon_pid(daemon) is not None

    @property
    def controller_log(self) -> Path:
        """The log of slurmctld."""
        return daemons.SLURMCTLD.log

    # --- nodes that fail ---------------------------------------------------------------------------

    def disconnect(self, host: str) -> None:
        """Pull the host's network cable; whatever runs there goes on."""
        hosts.set_link(self.init_pid(SWITCH.name), HOSTS[host], up=False)

    def reconnect(self, host: str) -> None:
        """Plug it in again."""
        hosts.set_link(self.init_pid(SWITCH.name), HOSTS[host], up=True)

    def power_off(self, host: str) -> None:
        """End all that runs on a host, its daemons too, and disconnect it."""
        self.disconnect(host)
        inside = processes.pids_by_inner_pid(self.init_pid(host))
        processes.kill(pid for inner, pid in inside.items() if inner != 1)

    def power_on(self, host: str) -> None:
        """Connect a host and start its daemons, which register with the controller."""
        self.reconnect(host)
        for daemon in self.every_daemon():
            if daemon.host.name == host:
                self.start(daemon)

    # --- run something -----------------------------------------------------------------------------

    def init_pid(self, host: str) -> int:
        """The process id, on the machine, of a host's process 1."""
        pid = load().hosts.get(host)
        if pid is None or not processes.has_marker(pid):
            known = ", ".join(HOSTS)
            raise ClusterhubError(
                f"There is no running host {host!r}.",
                next=f"`scripts/cluster up` brings the cluster up. Hosts: {known}."
                if host in HOSTS
                else f"Hosts: {known}.",
            )
        return pid

    def argv(
        self, host: str, argv: Sequence[str], user: str | None = None, env: Mapping[str, str] | None = None
    ) -> list[str]:
        """The command line that runs ``argv`` in a host as ``user`` (None: root), in a clean environment."""
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
        """Run a command in a host to its end; `subprocess.TimeoutExpired` after ``timeout`` seconds."""
        source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        return subprocess.run(
            self.argv(host, argv, user, env),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **source,
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

    def wait_for_nodes(self, timeout: float = NODES_READY_TIMEOUT) -> None:
        """Wait until both nodes take jobs."""
        nodes: dict[str, str] = {}

        def all_ready() -> bool:
            lines = self.run(GATEWAY.name, ["sinfo", "-h", "-N", "-o", "%N %T"]).stdout.splitlines()
            nodes.update((name, word) for name, word in map(str.split, lines))
            return len(nodes) == len(NODES) and set(nodes.values()) <= {"idle", "mixed", "allocated"}

        if not processes.wait_until(all_ready, timeout, pause=0.1):
            raise ClusterhubError(
                f"The nodes are not ready after {timeout:.0f} s; sinfo says: {nodes}",
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
            raise TimeoutError(
                f"job {job_id} is {state!r} after {timeout:.0f} s, not {' or '.join(sorted(wanted))}"
            )
        return state

    # --- what there is -----------------------------------------------------------------------------

    def status(self) -> list[str]:
        """Lines that say what runs; the first says whether the cluster is up."""
        state = load()
        if not state.hosts:
            return ["The cluster is down."]
        if not self._hosts_alive(state):
            return ["The cluster is broken: not all of its hosts run. `up` makes it anew, `down` removes it."]
        door = f"127.0.0.1:{state.port} leads to {GATEWAY.address}:{HUB_PORT}"
        lines = ["The cluster is up." if state.complete else "The cluster is being made."]
        for host in HOSTS.values():
            running = [daemon for daemon in self.every_daemon() if daemon.host == host]
            words = [f"{daemon.name} {self.daemon_pid(daemon) or 'NOT RUNNING'}" for daemon in running]
            lines.append(f"  {host.name:8} {host.address:11} {', '.join(words)}")
        lines.append(f"  {door}" if construction.forwards(state) else f"  NOT RUNNING: {door}")
        if state.complete and self.is_running(daemons.SLURMCTLD):
            lines += ["", *self.run(GATEWAY.name, ["sinfo"]).stdout.splitlines()]
        return lines


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the machine's only right to change the cluster; the kernel gives it back however we end."""
    remains.refuse_inside()
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ClusterhubError(
                "Another process brings this cluster up or down right now.", next="Wait for its end."
            ) from error
        yield
