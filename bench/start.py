"""From the click to the page, one session at a time: clusterhub, `srun jupyter lab`, batchspawner."""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.real_cluster import RealCluster, hub, processes
from tests.real_cluster.layout import DATA, GATEWAY, NODES

from _crowd import PARTITION, SESSION_MIB, CrowdedHub, crowded_cluster
from _environments import ensure_environments
from _run import Run, interleaved, say, timings
from _systems import Batchspawner, Clusterhub, ensure_batchspawner
from clusterhub.errors import ClusterhubError

ABOUT = "click to ready for one session: clusterhub, srun jupyter lab, batchspawner"
NEEDS_DEBIAN_PACKAGES = True
PERSON = "alice"
PAGE = "lab"
"""The session is ready once this page of its own answers with 200."""
PATIENCE = 60.0
"""Seconds after which a start has failed."""
ANSWER_SECONDS = 1
"""A browser is sent to the waiting page after so long (`jupyterhub.handlers.pages.SpawnHandler`)."""
END_SECONDS = 60.0
SRUN_PORT = 8899
BATCHSPAWNER_PLACE = hub.Place(DATA / "batchspawner", 8100, "root")
SYSTEMS = ("clusterhub", "srun", "batchspawner")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many starts, of what."""
    parser.add_argument("--runs", type=int, default=15, help="of each, after a first (default: 15)")
    every = ",".join(SYSTEMS)
    parser.add_argument("--systems", default=every, help=f"which (default: {every})")
    parser.add_argument("--environments", default="curated,minimal", help="which (default: both)")


def measure(arguments: argparse.Namespace) -> list[Run]:
    """Runs with ``environment``, ``median_s``, ``samples_s``; clusterhub's with its share of the others'."""
    wanted = arguments.environments.split(",")
    environments = {name: path for name, path in ensure_environments().items() if name in wanted}
    systems = [name for name in SYSTEMS if name in arguments.systems.split(",")]
    if "batchspawner" in systems:
        ensure_batchspawner()
    with crowded_cluster() as cluster, clicker(cluster) as click:
        starts: dict[str, dict[str, Callable[[], float]]] = {}
        for name in systems:
            say(f"{name}: preparation")
            starts[name] = STARTERS[name](cluster, click, environments)
        turns = {
            f"{system} {environment}": starts[system][environment]
            for environment in environments
            for system in systems
        }
        samples = interleaved(turns, arguments.runs)
    runs = []
    for turn, seconds in samples.items():
        system, environment = turn.split()
        runs.append(timings(system, seconds, environment=environment))
    return [run | shares(run, runs) for run in runs]


def shares(run: Run, runs: list[Run]) -> dict[str, float]:
    """Clusterhub's median as a share of the others' in the same environment."""
    if run["system"] != "clusterhub":
        return {}
    others = [each for each in runs if each["environment"] == run["environment"] and each is not run]
    return {f"of_{each['system']}": round(run["median_s"] / each["median_s"], 3) for each in others}


Click = Callable[[Mapping[str, Any]], dict[str, Any]]


@contextlib.contextmanager
def clicker(cluster: RealCluster) -> Iterator[Click]:
    """Who starts the sessions; see `_clicker`."""
    program = str(Path(__file__).with_name("_clicker.py"))
    process = cluster.popen(GATEWAY.name, [sys.executable, program], PERSON)

    def click(asked: Mapping[str, Any]) -> dict[str, Any]:
        if process.stdin is None or process.stdout is None:
            raise ClusterhubError("The one who clicks has no pipes.")
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        others = []
        for line in process.stdout:
            if line.startswith("{"):
                said: dict[str, Any] = json.loads(line)
                return said
            others.append(line.rstrip())
        raise ClusterhubError("The one who clicks failed.", log=tuple(others))

    try:
        yield click
    finally:
        process.kill()
        process.wait()


@dataclass
class Hub:
    """One hub, with somebody who starts sessions in it."""

    crowd: CrowdedHub
    click: Click
    token: str = ""

    @property
    def url(self) -> str:
        """As the gateway reaches it."""
        return f"http://{GATEWAY.address}:{self.crowd.place.port}"

    def prepare(self) -> None:
        """Have it run, and know the person. Raises ClusterhubError."""
        self.crowd.start()
        self.ask("POST", "users", {"usernames": [PERSON]}, self.crowd.token)
        made = self.ask("POST", f"users/{PERSON}/tokens", {"note": "bench"}, self.crowd.token)
        self.token = made["token"]

    def start(self, environment: str) -> float:
        """Seconds of one start, whose session is over afterwards. Raises ClusterhubError."""
        choice = {"profile": environment} if isinstance(self.crowd, Clusterhub) else {}
        asked: dict[str, object] = {
            "url": self.url,
            "person": PERSON,
            "token": self.token,
            "server": environment,
        }
        asked |= {"page": PAGE, "choice": choice}
        said = self.click({"press": asked, "patience": PATIENCE})
        if said["seconds"] is None:
            raise ClusterhubError(f"{self.crowd.system}: a start failed.", log=(said["log"],))
        self.ask("DELETE", f"users/{PERSON}/servers/{environment}", None, self.token)
        until_over(self.crowd.cluster)
        if not processes.wait_until(lambda: not self._servers(), END_SECONDS, pause=0.2):
            raise ClusterhubError(f"{self.crowd.system}: a server does not stop.")
        return float(said["seconds"])

    def _servers(self) -> object:
        return self.ask("GET", f"users/{PERSON}", None, self.token)["servers"]

    def ask(self, method: str, path: str, body: object, token: str) -> Any:
        """The answer of its API. Raises ClusterhubError for a refusal."""
        url = f"{self.url}/hub/api/{path}"
        said = self.click({"ask": {"method": method, "url": url, "token": token, "body": body}})
        if said["status"] >= 400:
            raise ClusterhubError(f"{self.crowd.system} answered {said['status']}.", log=(said["text"],))
        return json.loads(said["text"] or "{}")


def until_over(cluster: RealCluster) -> None:
    """Returns when no job is left that could weigh on the next start. Raises ClusterhubError."""

    def none_left() -> bool:
        asked = cluster.run(GATEWAY.name, ["squeue", "--noheader", "--format=%i"])
        return asked.returncode == 0 and not asked.stdout.strip()

    if not processes.wait_until(none_left, END_SECONDS, pause=0.2):
        raise ClusterhubError("A job does not end.", next="Look with squeue.")


def hub_starts(
    kind: type[CrowdedHub], cluster: RealCluster, click: Click, environments: Mapping[str, Path]
) -> dict[str, Callable[[], float]]:
    """A start at this hub, for each environment."""
    crowd = kind(cluster, "jupyterlab", ANSWER_SECONDS, environments)
    if isinstance(crowd, Batchspawner):
        crowd.place = BATCHSPAWNER_PLACE
    one = Hub(crowd, click)
    one.prepare()
    return {name: partial(one.start, name) for name in environments}


def srun_starts(
    cluster: RealCluster, click: Click, environments: Mapping[str, Path]
) -> dict[str, Callable[[], float]]:
    """A start of Jupyter alone, for each environment."""
    node = NODES[0]

    def start(environment: Path) -> float:
        token = secrets.token_hex(16)
        resources = [f"--partition={PARTITION}", "--cpus-per-task=1", f"--mem={SESSION_MIB['jupyterlab']}M"]
        jupyter = ["--no-browser", "--ip=0.0.0.0", f"--port={SRUN_PORT}", "--port-retries=0"]
        argv = ["env", f"PATH={environment}/bin:/usr/bin:/bin", shutil.which("srun") or "srun", *resources]
        argv += [f"--nodelist={node.name}", "--time=3:00:00", "jupyter", "lab", *jupyter]
        argv.append(f"--IdentityProvider.token={token}")
        url = f"http://{node.address}:{SRUN_PORT}/{PAGE}?token={token}"
        said = click({"command": argv, "url": url, "patience": PATIENCE})
        if said["seconds"] is None:
            raise ClusterhubError("srun: a start failed.", log=tuple(said["log"].splitlines()))
        until_over(cluster)
        return float(said["seconds"])

    return {name: partial(start, path) for name, path in environments.items()}


STARTERS: Mapping[str, Callable[[RealCluster, Click, Mapping[str, Path]], dict[str, Callable[[], float]]]] = {
    "clusterhub": partial(hub_starts, Clusterhub),
    "srun": srun_starts,
    "batchspawner": partial(hub_starts, Batchspawner),
}
