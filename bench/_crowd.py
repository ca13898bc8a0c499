"""Many real jobs on one cluster, started as named servers through a hub, with light stand-ins for Jupyter."""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, Literal

import jupyterhub
from tests.real_cluster import RealCluster, hub, processes
from tests.real_cluster.layout import NODES, Node

import _light_session
from _run import Run, say
from clusterhub.errors import ClusterhubError

ROOM = Node(cpus=1024, memory_mb=1024 * 100, sample_seconds=0, patience_seconds=90)
AT_ONCE = 24
"""Starts that are under way at a time. What is measured comes after them."""
START_SECONDS = 600
"""How long one start may take while the machine is busy with others."""
TIDY_SECONDS = 120.0
MEMORY_SHARE = 0.85
"""Of the memory that is free: sessions are not started beyond it."""
ENOUGH_TO_TELL = 50
"""Sessions; what fewer of them take of the memory is lost in what else the machine does."""
JOBHOLDERS = ("alice", "bob", "carol")
PARTITION = "interactive"
CREATED = 201

Kind = Literal["light", "jupyterlab"]
"""What runs as a session: the stand-in, or JupyterLab from the test cluster's environment."""

SESSION_MIB: Mapping[Kind, int] = {"light": 100, "jupyterlab": 512}
"""What each session asks of Slurm; the stand-in needs a quarter of it for a second, then next to nothing."""

CONFIGURATION = """\
c.JupyterHub.services = [{{"name": "bench", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{
    "name": "bench", "services": ["bench"], "scopes": ["admin:users", "servers", "tokens"],
}}]
# For so long the API's answer to a start waits for the session to serve.
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": {seconds}}}
"""


class CrowdedHub(ABC):
    """One system's hub on the gateway, and its sessions, which are real jobs."""

    system: ClassVar[str]
    options: ClassVar[dict[str, str] | None] = None
    """The choice that each start is asked with."""

    place: hub.Place = hub.USUAL
    """Where the hub is on the gateway; other ports that it needs follow that of its proxy."""

    def __init__(
        self,
        cluster: RealCluster,
        kind: Kind = "light",
        answer_seconds: float = START_SECONDS,
        environments: Mapping[str, Path] | None = None,
    ) -> None:
        """The API answers a start after ``answer_seconds`` at most, whether or not the session serves.

        ``environments`` are directories by the name under which a start chooses one; without any there is the
        test cluster's.
        """
        self.cluster = cluster
        self.kind = kind
        self.environments = dict(environments or {})
        self.sessions = 0
        self.directory = cluster.data / "bench" / f"{self.system}-{kind}"
        self.token = secrets.token_hex(32)
        self._answer_seconds = answer_seconds

    @abstractmethod
    def start(self) -> None:
        """Start the hub, and return when it answers. Raises ClusterhubError."""

    @property
    def configuration(self) -> str:
        """Lines of JupyterHub configuration, with which the sessions can be started."""
        return CONFIGURATION.format(token=self.token, seconds=self._answer_seconds)

    def stop(self) -> None:
        """End the hub, and the jobs; return when none is left."""
        hub.kill_hub(self.cluster, self.place)
        self.cluster.run("gateway", ["scancel", f"--partition={PARTITION}"], timeout=120)
        if not processes.wait_until(lambda: not self._jobs(), TIDY_SECONDS, pause=0.5):
            raise ClusterhubError(f"{self.system}: {len(self._jobs())} jobs do not end.")

    def process(self) -> int:
        """The process id of JupyterHub itself, as the machine sees it."""
        lines = hub.hub_processes(self.cluster, self.place).items()
        return min(pid for pid, line in lines if "jupyterhub" in line and " -f " in line)

    def running(self) -> int:
        """How many jobs run, by Slurm's word."""
        return len(self._jobs("--states=RUNNING"))

    def taken_back(self) -> int:
        """How many jobs Slurm has run anew, by its word."""
        asked = self.cluster.run("gateway", ["squeue", "--noheader", "--Format=RestartCnt"], timeout=120)
        return sum(count != "0" for count in asked.stdout.split())

    def _jobs(self, *options: str) -> list[str]:
        asked = self.cluster.run("gateway", ["squeue", "--noheader", "--format=%i", *options], timeout=120)
        asked.check_returncode()
        return asked.stdout.split()

    def ensure_sessions(self, count: int) -> None:
        """Start sessions until there are so many. Raises ClusterhubError where one does not start."""
        if not self.sessions:
            self.ask("users", {"usernames": JOBHOLDERS})
        pool = ThreadPoolExecutor(AT_ONCE)
        starts = [pool.submit(self._start_session, number) for number in range(self.sessions, count)]
        try:
            for done, start in enumerate(as_completed(starts), self.sessions + 1):
                start.result()
                if done == count or done % 50 == 0:
                    say(f"  {self.system}: {done} sessions serve")
        finally:
            # Not waited for: after an interrupt, requests end when the cluster does.
            pool.shutdown(wait=False, cancel_futures=True)
        self.sessions = count

    def _start_session(self, number: int) -> None:
        person = JOBHOLDERS[number % len(JOBHOLDERS)]
        status, _ = self.ask(f"users/{person}/servers/s{number}", self.options)
        if status != CREATED:
            raise ClusterhubError(f"{self.system}: session {number} does not serve after {START_SECONDS} s.")

    @property
    def url(self) -> str:
        """The hub's, as this machine reaches it."""
        return f"http://127.0.0.1:{self.cluster.footprint().port}"

    def ask(self, path: str, body: object) -> tuple[int, bytes]:
        """POST to the API, as its administrator. Raises ClusterhubError for a refusal."""
        request = urllib.request.Request(  # noqa: S310 - the hub's own address
            f"{self.url}/hub/api/{path}",
            b"" if body is None else json.dumps(body).encode(),
            {"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=START_SECONDS + 60) as answer:  # noqa: S310 - as above
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise ClusterhubError(
                f"{self.system}: the hub answered {error.code}.",
                where=path,
                log=tuple(text.splitlines()[:12]),
            ) from None


@contextmanager
def crowded_cluster() -> Iterator[RealCluster]:
    """A cluster whose nodes claim room for many jobs, taken down in the end, also after an interrupt."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    cluster = RealCluster(say, ROOM)
    if cluster.footprint().complete:
        raise ClusterhubError(
            "A cluster is up on this machine; this measurement makes its own.", next="`scripts/cluster down`."
        )
    cluster.up(port=0)
    try:
        _start_light_servers(cluster)
        yield cluster
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        cluster.down()


def _start_light_servers(cluster: RealCluster) -> None:
    program = Path(__file__).with_name("_light_server.py")
    port, version = _light_session.PORT, jupyterhub.__version__
    for node in NODES:
        argv = ["/usr/bin/python3", "-I", str(program), str(port), version]
        cluster.popen(node.name, argv, stdout=subprocess.DEVNULL)

        def serves(name: str = node.name, address: str = node.address) -> bool:
            try:
                cluster.connect(name, address, port).close()
            except OSError:
                return False
            return True

        if not processes.wait_until(serves, timeout=10, pause=0.1):
            raise ClusterhubError(f"The light server on {node.name} does not answer.", where=str(program))


def place_light_session(target: Path) -> None:
    """Put the stand-in where everybody can execute it, under the name that a system knows it by."""
    program = str(_light_session.__file__)
    subprocess.run(["/usr/bin/install", "-D", "--mode=755", program, str(target)], check=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many sessions of which system."""

    def counts(text: str) -> list[int]:
        return sorted({int(word) for word in text.split(",") if word})

    parser.add_argument(
        "--sessions", type=counts, default=[2, 50, 500, 1000], help="of clusterhub (default: 2,50,500,1000)"
    )
    parser.add_argument(
        "--beside", type=counts, default=[2, 50], help="of batchspawner, may be empty (default: 2,50)"
    )


def look_at_each(
    cluster: RealCluster,
    crowds: Sequence[tuple[type[CrowdedHub], Sequence[int]]],
    look: Callable[[CrowdedHub], dict[str, Any]],
) -> list[Run]:
    """What ``look`` says of each system at each number of sessions, which grows from look to look.

    Where memory does not allow a number, it says so and looks at as many as it allows.
    """
    runs: list[Run] = []
    for kind, counts in crowds:
        if not counts:
            continue
        crowd = kind(cluster)
        say(f"{crowd.system}: start of the hub")
        crowd.start()
        before = _available_mib()
        for count in counts:
            fitting = _fitting(crowd.sessions, count, before)
            if fitting < count:
                say(f"{count} sessions need more memory than there is; measured with {fitting}")
            crowd.ensure_sessions(fitting)
            if fitting >= ENOUGH_TO_TELL:
                each = (before - _available_mib()) / fitting
                say(f"{crowd.system}: {fitting} sessions, {each:.1f} MiB each")
            seen = look(crowd)
            if crowd.running() != fitting:
                raise ClusterhubError(f"{crowd.system}: {crowd.running()} of {fitting} jobs run.")
            runs.append({"system": crowd.system, "sessions": fitting, **seen})
            say(f"{crowd.system}: {seen}")
            if fitting < count:
                break
        say(f"{crowd.system}: end of the hub and its jobs")
        crowd.stop()
    return runs


def _fitting(present: int, wanted: int, before: float) -> int:
    """How many sessions the memory allows, by what those that are present took of it."""
    if present < ENOUGH_TO_TELL:
        return wanted
    each = max((before - _available_mib()) / present, 0.1)
    return min(wanted, present + int(MEMORY_SHARE * _available_mib() / each))


def _available_mib() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    sys.exit("/proc/meminfo has no MemAvailable")
