"""What it is like when a whole class presses Start at once: for them, and for whoever else uses the hub."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.real_cluster import RealCluster, hub
from tests.real_cluster.layout import GATEWAY, Person
from yarl import URL

from _crowd import JOBHOLDERS, CrowdedHub, Kind, crowded_cluster
from _machines import Machines, machines
from _press import Press, Start, press_all
from _run import Run, say
from _systems import Batchspawner, Clusterhub, ensure_batchspawner
from clusterhub.errors import ClusterhubError
from clusterhub.hub.walkthrough import Walk

ABOUT = "many who press Start at once, clusterhub beside batchspawner"
NEEDS_DEBIAN_PACKAGES = True
SYSTEMS: dict[str, type[CrowdedHub]] = {"batchspawner": Batchspawner, "clusterhub": Clusterhub}
PATIENCE = 300.0
"""Seconds after which a start counts as failed."""
ANSWER_SECONDS = 1
"""A browser is sent to the waiting page after so long (`jupyterhub.handlers.pages.SpawnHandler`)."""
PROBES_PER_SECOND = 8
QUIET_SECONDS = 3.0
"""For which the hub is asked before the storm."""
AT_ONCE = 24
"""Starts under way at a time, of the sessions that are there before the storm."""
WATCHER = Person("watcher", "teaching")
"""Who is logged in, has no session, and presses nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many press, how fast, at which system."""
    parser.add_argument(
        "--starts", type=int, default=200, help="of light stand-ins, 0 for none (default: 200)"
    )
    parser.add_argument("--jupyterlab", type=int, default=20, help="starts of JupyterLab (default: 20)")
    parser.add_argument("--within", type=float, default=1.0, help="seconds, evenly (default: 1)")
    parser.add_argument(
        "--running", type=int, default=0, help="light sessions that run before the storm (default: 0)"
    )
    parser.add_argument(
        "--alike", action="store_true", help="let nodes and hub compete for the processor of this machine"
    )
    parser.add_argument("--systems", default=",".join(SYSTEMS), help=f"which (default: {','.join(SYSTEMS)})")


def measure(arguments: argparse.Namespace) -> list[Run]:
    """Runs with ``kind``, ``starts``, ``failed``, and ``p50_s`` and ``p99_s`` from press to answer.

    ``hub_api_p99_s`` is of what somebody else asks meanwhile, ``hub_peak_mib`` of JupyterHub's process; the
    processor time is that of each machine.
    """
    systems = [SYSTEMS[name] for name in arguments.systems.split(",")]
    if Batchspawner in systems:
        ensure_batchspawner()
    storms: list[tuple[Kind, int]] = [("light", arguments.starts), ("jupyterlab", arguments.jupyterlab)]
    runs = []
    with machines(first=not arguments.alike) as each, crowded_cluster() as cluster:
        people = [
            Person(f"student{number:03}", "teaching") for number in range(max(count for _, count in storms))
        ]
        cluster.add_people([WATCHER, *people])
        for kind, starts in storms:
            for system in systems if starts else []:
                running = arguments.running if kind == "light" else 0
                crowd = system(cluster, kind, ANSWER_SECONDS)
                runs.append(Storm(crowd, each, people[:starts], arguments.within, running).run())
    return runs


@dataclass
class Storm:
    """One storm on one hub, from the hub's start to its end."""

    crowd: CrowdedHub
    machines: Machines
    people: Sequence[Person]
    within: float
    running: int
    tokens: dict[str, str] = field(default_factory=dict)

    def run(self) -> Run:
        """Measure. Raises ClusterhubError where the hub does not start."""
        crowd = self.crowd
        say(f"{crowd.system}, {crowd.kind}: start of the hub")
        crowd.start()
        self.machines.place(crowd.cluster)
        self._make_users()
        if self.running:
            self._start_others()
        count = len(self.people)
        presses = [
            Press(person.name, self.tokens[person.name], after=self.within * number / count)
            for number, person in enumerate(self.people)
        ]
        say(f"{crowd.system}, {crowd.kind}: {count} starts")
        process = crowd.process()
        with probed(crowd.cluster, self._requests()) as probes:
            before = self._cpu_seconds(process)
            starts = asyncio.run(press_all(crowd.url, presses, crowd.options, patience=PATIENCE))
            used = {key: round(after - before[key], 1) for key, after in self._cpu_seconds(process).items()}
        peak = peak_mib(process)
        failed = [start for start in starts if start.ready_at is None]
        jobs = crowd.running()
        if jobs != self.running + count - len(failed):
            say(f"  {jobs} jobs run, with {self.running + count - len(failed)} sessions that answer")
        if taken_back := crowd.taken_back():
            say(f"  Slurm took {taken_back} jobs back, whose node did not launch them in time")
        run: Run = {"system": crowd.system, "kind": crowd.kind}
        if self.running:
            run["running"] = self.running
        run |= {
            "starts": count,
            "failed": len(failed),
            **figures(starts, probes),
            "hub_peak_mib": round(peak),
        }
        run |= used
        say(f"  {run}")
        say(f"{crowd.system}, {crowd.kind}: end of the hub and its jobs")
        crowd.stop()
        return run

    def _cpu_seconds(self, process: int) -> dict[str, float]:
        """JupyterHub's own, that of its commands and its proxy, and of the other machines."""
        used = {f"{name}_cpu_s": seconds for name, seconds in self.machines.seconds().items()}
        own = own_cpu_seconds(process)
        commands = used.pop("hub_cpu_s", own) - own
        return {"hub_cpu_s": own, "commands_cpu_s": commands, **used}

    def _make_users(self) -> None:
        names = [*JOBHOLDERS, *(person.name for person in (WATCHER, *self.people))]
        self.crowd.ask("users", {"usernames": names})
        for name in names:
            _, answer = self.crowd.ask(f"users/{name}/tokens", {"note": "bench"})
            self.tokens[name] = json.loads(answer)["token"]

    def _start_others(self) -> None:
        presses = [
            Press(name, self.tokens[name], server=f"s{number}")
            for number in range(self.running)
            for name in [JOBHOLDERS[number % len(JOBHOLDERS)]]
        ]
        crowd = self.crowd
        starts = asyncio.run(press_all(crowd.url, presses, crowd.options, patience=PATIENCE, at_once=AT_ONCE))
        failed = sum(start.ready_at is None for start in starts)
        if failed:
            raise ClusterhubError(f"{crowd.system}: {failed} of {self.running} sessions do not serve.")
        say(f"{crowd.system}: {self.running} sessions serve")

    def _requests(self) -> list[dict[str, Any]]:
        """What is asked in turn: the REST API, and a page."""

        async def cookies() -> str:
            async with Walk.begin(self.crowd.url, WATCHER.name) as walk:
                await walk.log_in(WATCHER.password)
                kept = walk.http.cookie_jar.filter_cookies(URL(f"{self.crowd.url}/hub/"))
                return "; ".join(f"{name}={morsel.value}" for name, morsel in kept.items())

        token = {"Authorization": f"token {self.tokens[WATCHER.name]}"}
        return [
            {"path": f"/hub/api/users/{WATCHER.name}", "headers": token},
            {"path": "/hub/home", "headers": {"Cookie": asyncio.run(cookies())}},
        ]


@dataclass(frozen=True)
class Probe:
    """One request of the prober; see `_prober`."""

    asked_at: float
    seconds: float
    status: str


@contextlib.contextmanager
def probed(cluster: RealCluster, requests: list[dict[str, Any]]) -> Iterator[list[Probe]]:
    """While this holds, the hub is asked; the list is filled in the end."""
    probes: list[Probe] = []
    asked = {"url": hub.URL, "per_second": PROBES_PER_SECOND, "requests": requests}
    program = str(Path(__file__).with_name("_prober.py"))
    with tempfile.TemporaryFile("w+") as output:
        process = cluster.popen(GATEWAY.name, [sys.executable, program], stdout=output)
        try:
            if process.stdin is not None:
                process.stdin.write(json.dumps(asked) + "\n")
                process.stdin.flush()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(QUIET_SECONDS)
            yield probes
        finally:
            process.communicate(timeout=2 * PATIENCE)
        output.seek(0)
        for line in output:
            asked_at, seconds, status = line.split()
            probes.append(Probe(float(asked_at), float(seconds), status))


def figures(starts: Sequence[Start], probes: Sequence[Probe]) -> dict[str, float | None]:
    """The percentiles of a storm. Raises ClusterhubError where the hub refused to answer."""
    refused = sorted({probe.status for probe in probes if probe.status != "200"})
    if refused or not probes:
        raise ClusterhubError(f"Who asked the hub got {', '.join(refused) or 'nothing'}.")
    ready = [start for start in starts if start.ready_at is not None]
    began = min(start.pressed_at for start in starts)
    ended = max((start.ready_at or 0.0 for start in ready), default=float("inf"))
    meanwhile = [probe.seconds for probe in probes if began <= probe.asked_at <= ended]
    before = [probe.seconds for probe in probes if probe.asked_at < began]
    say(f"  {len(meanwhile)} questions meanwhile; before, {percentile(before, 99)} s at p99")
    slowest = sorted(probes, key=lambda probe: probe.seconds)[-5:]
    told = ", ".join(f"{probe.seconds:.2f} s at {probe.asked_at - began:.0f} s" for probe in slowest)
    say(f"  the slowest: {told}")
    seconds = [start.seconds for start in ready]
    return {
        "p50_s": percentile(seconds, 50),
        "p99_s": percentile(seconds, 99),
        "hub_api_p50_s": percentile(meanwhile, 50),
        "hub_api_p99_s": percentile(meanwhile, 99),
    }


def percentile(samples: Sequence[float], percent: int) -> float | None:
    """That percentile; None of no samples."""
    if len(samples) < 2:
        return round(samples[0], 4) if samples else None
    return round(statistics.quantiles(samples, n=100, method="inclusive")[percent - 1], 4)


def own_cpu_seconds(pid: int) -> float:
    """Of a process without its children (proc(5): utime and stime)."""
    _, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    return sum(int(ticks) for ticks in rest.split()[11:13]) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """The most memory that a process has held (proc(5): VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ClusterhubError(f"Process {pid} does not tell its memory.")
