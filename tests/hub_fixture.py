"""The pytest fixtures of a hub that runs on the real cluster.

The controller's log shows every cancel, and each test with the fixture `hub` ends with a look at it: a cancel
that the test has not declared as wanted (`LiveHub.expect_cancel`, `LiveHub.stop_session`) fails it.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from clusterhub.hub.walkthrough import Walk
from tests import hub_site
from tests.real_cluster import RealCluster, hub, processes
from tests.real_cluster.controller_log import Cancel, read_cancels

TIDY_SECONDS = 30.0


@dataclass(frozen=True)
class LiveHub:
    """The hub on the gateway of the real cluster."""

    cluster: RealCluster
    url: str
    """As a browser on this machine reaches it."""
    site: str
    """Its site.toml."""
    place: hub.Place = hub.USUAL
    authority: str | None = None
    """The file with the certificate of the authority that vouches for it, where it speaks HTTPS."""
    wanted_cancels: set[str] = field(default_factory=set)
    """The jobs that this test has somebody cancel."""
    _cancelled_before: set[str] = field(default_factory=set)

    def api(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        """Asks the REST API, as the tests' own service unless a ``token`` is given: status and JSON."""
        request = urllib.request.Request(  # noqa: S310 - the hub's own address
            f"{self.url}/hub/api/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"token {token or hub_site.SERVICE_TOKEN}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            context = ssl.create_default_context(cafile=self.authority) if self.authority else None
            with urllib.request.urlopen(request, timeout=60, context=context) as answer:  # noqa: S310 - as above
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            try:
                return error.code, json.loads(text)
            except ValueError:
                return error.code, text.decode(errors="replace")

    def servers(self, person: str) -> dict[str, Any]:
        """The person's servers, as the hub knows them."""
        status, model = self.api("GET", f"users/{person}?include_stopped_servers")
        servers: dict[str, Any] = model["servers"] if status == 200 else {}
        return servers

    def jobs(self, person: str, states: str = "PENDING,CONFIGURING,RUNNING,SUSPENDED") -> list[str]:
        """The ids of the person's jobs in these states, as squeue tells."""
        asked = self.cluster.run("gateway", ["squeue", "-h", "-o", "%i", "-u", person, "-t", states])
        assert asked.returncode == 0, asked.stderr
        return asked.stdout.split()

    def comment(self, job: str) -> str:
        """The tag that a job carries."""
        return self.cluster.run("gateway", ["squeue", "-h", "-o", "%k", "-j", job]).stdout.strip()

    def end_of(self, job: str) -> float:
        """When a job ended by the controller's clock, in whole seconds since the epoch."""
        asked = self.cluster.run(
            "gateway", ["squeue", "-h", "-t", "all", "-o", "%e", "-j", job], env={"SLURM_TIME_FORMAT": "%s"}
        )
        return float(asked.stdout)

    def wait_for_no_job(self, person: str, seconds: float = TIDY_SECONDS) -> bool:
        """Whether within so many seconds no job of that person is left, not even in clearing."""
        states = "PENDING,CONFIGURING,RUNNING,SUSPENDED,COMPLETING"
        return processes.wait_until(lambda: not self.jobs(person, states), seconds, pause=0.1)

    def cancels(self) -> tuple[Cancel, ...]:
        """The cancels that the controller was asked for since the test began, by its log."""
        told = read_cancels(self.cluster.controller_log.read_text(errors="replace"))
        return tuple(cancel for cancel in told if cancel.job not in self._cancelled_before)

    def unwanted_cancels(self) -> tuple[Cancel, ...]:
        """Those of them that the test did not declare."""
        return tuple(cancel for cancel in self.cancels() if cancel.job not in self.wanted_cancels)

    def begin_a_test(self) -> None:
        """From now on cancels count; jobs that were cancelled before are over, and nobody's."""
        self._cancelled_before.clear()
        self._cancelled_before.update(cancel.job for cancel in self.cancels())
        self.wanted_cancels.clear()

    def expect_cancel(self, person: str, server: str | None = None) -> list[str]:
        """Declares that what the person has now is to be cancelled, all or one server's job; the ids."""
        jobs = self.jobs(person)
        if server is not None:
            jobs = [job for job in jobs if self.comment(job).endswith(f":{person}:{server}")]
        self.wanted_cancels.update(jobs)
        return jobs

    async def stop_session(self, walk: Walk, server: str = "") -> None:
        """The person presses Stop, and waits until the server is gone for the hub."""
        self.expect_cancel(walk.person, server)
        await walk.stop(server)

    def cancel(self, job: str, user: str | None = None) -> None:
        """Somebody cancels a job at a terminal: the person, or the operator (None)."""
        self.wanted_cancels.add(job)
        done = self.cluster.run("gateway", ["scancel", job], user)
        assert done.returncode == 0, done.stderr

    def log(self) -> str:
        """All that hub and proxy have written."""
        return self.place.log.read_text(errors="replace")

    def stop(self) -> None:
        """Ends hub and proxy the orderly way."""
        hub.stop_hub(self.cluster, place=self.place)

    def kill(self) -> None:
        """Ends hub and proxy as a power cut does."""
        hub.kill_hub(self.cluster, self.place)

    def start(self) -> None:
        """Starts hub and proxy over the state that they left."""
        hub.start_hub(self.cluster, self.site, place=self.place)

    def ensure_running(self) -> None:
        """Starts the hub where a test left it stopped."""
        if hub.hub_pid(self.cluster, self.place) is None:
            self.kill()
            self.start()

    def end_sessions(self) -> None:
        """No session is left: neither in the hub's mind, nor in the queue."""
        for person in self.cluster.people:
            for name, server in self.servers(person).items():
                if server["ready"] or server["pending"] or not server.get("stopped", False):
                    self.api("DELETE", f"users/{person}/servers/{name}" if name else f"users/{person}/server")
            for job in self.jobs(person):
                self.cluster.run("gateway", ["scancel", job])
            assert self.wait_for_no_job(person), f"{person} has jobs: {self.jobs(person)}"
            assert processes.wait_until(
                lambda person=person: all(each["stopped"] for each in self.servers(person).values()),  # type: ignore[misc]
                TIDY_SECONDS,
                pause=0.1,
            ), f"{person} has servers: {self.servers(person)}"


@pytest.fixture(scope="session")
def _hub_of_somebody(cluster: RealCluster) -> Iterator[None]:
    """A hub that runs already makes room, and comes back in the end, unless a cut-off run left it."""
    site = hub.SITE.read_text() if hub.hub_pid(cluster) is not None else ""
    hub.stop_hub(cluster)
    if str(hub_site.STATE_DIRECTORY) in site:
        site = ""
    yield
    if site and cluster.footprint().complete:
        hub.start_hub(cluster, site)


@pytest.fixture(scope="module")
def site_text(cluster: RealCluster) -> str:
    """The site.toml of the hub under test. A file that needs another has a fixture of this name."""
    return hub_site.text(cluster.footprint().port)


@pytest.fixture(scope="module")
def hub_settings() -> str:
    """Further lines of the hub's drop-in file. A file that needs some has a fixture of this name."""
    return ""


@pytest.fixture(scope="module")
def live_hub(
    cluster: RealCluster, _hub_of_somebody: None, site_text: str, hub_settings: str
) -> Iterator[LiveHub]:
    """One hub for the tests of a file: other files take the cluster down and up again."""
    live = LiveHub(cluster, f"http://127.0.0.1:{cluster.footprint().port}", site_text)
    hub_site.prepare(hub_settings)
    live.start()
    yield live
    live.stop()
    hub_site.remove()


@pytest.fixture(name="hub")
def running_hub(live_hub: LiveHub) -> Iterator[LiveHub]:
    """The hub, running at the test's begin, without sessions at its end, and no cancel that nobody wanted."""
    live_hub.ensure_running()
    live_hub.begin_a_test()
    yield live_hub
    unwanted = live_hub.unwanted_cancels()
    live_hub.ensure_running()
    live_hub.end_sessions()
    assert unwanted == (), f"cancels that the test did not declare as wanted: {unwanted}"
