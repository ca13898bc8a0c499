"""PostgreSQL stops, the hub is killed, and both come back: nothing is cancelled and no place is lost.

Where `Supervisor._trouble_with` sees none the hub is given up after three deaths, and its proxy with it;
without the gate of `clusterhub.hub.application` the page is JupyterHub's 500. That the hub cancels nothing is
read from the controller's log at the end of the test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests import hub_site
from tests.fault.conftest import until
from tests.hub_fixture import LiveHub
from tests.postgresql import PostgreSQL, postgresql
from tests.real_cluster import RealCluster, processes
from tests.real_cluster.hub import hub_processes
from tests.real_cluster.layout import SERVICE_ACCOUNT

from clusterhub.hub.walkthrough import Walk, WalkFailed

WAITS = "waits for its database"


@pytest.fixture(scope="module")
def database(cluster: RealCluster) -> Iterator[PostgreSQL]:
    with postgresql(cluster.data) as server:
        yield server


@pytest.fixture(scope="module")
def live_hub(cluster: RealCluster, _hub_of_somebody: None, database: PostgreSQL) -> Iterator[LiveHub]:
    """The hub under test, with PostgreSQL for its database."""
    port = cluster.footprint().port
    site = hub_site.text(port).replace("[hub]\n", f'[hub]\ndatabase = "{database.url}"\n')
    live = LiveHub(cluster, f"http://127.0.0.1:{port}", site)
    hub_site.prepare()
    database.give_passfile(SERVICE_ACCOUNT)
    live.start()
    yield live
    live.stop()
    hub_site.remove()


async def test_sessions_and_queued_jobs_outlive_the_database_and_the_hub(
    hub: LiveHub, database: PostgreSQL
) -> None:
    people = hub.cluster.people
    async with Walk.begin(hub.url, "alice") as alice, Walk.begin(hub.url, "bob") as bob:
        await alice.log_in(people["alice"].password)
        await bob.log_in(people["bob"].password)
        await alice.start({"profile": "debug"})
        _, kernel = await alice.run_cell("answer = 6 * 7")
        await bob.press_start({"profile": "held"})
        await until(lambda: bool(hub.jobs("bob")))
        jobs = hub.jobs("alice"), hub.jobs("bob", "PENDING")
        assert [len(each) for each in jobs] == [1, 1]
        database.stop()
        try:
            with pytest.raises(WalkFailed, match="cannot use its database at the moment"):
                await bob.stop()
            processes.kill(
                pid for pid, command in hub_processes(hub.cluster).items() if "jupyterhub_config" in command
            )
            await until(lambda: WAITS in hub.log())
            printed, _ = await alice.run_cell("print(answer)", kernel=kernel)
            assert printed.strip() == "42"
        finally:
            database.start()

        async def knows_bob() -> bool:
            async with bob.http.get(f"{bob.url}/hub/api/users/bob") as answer:
                return answer.status == 200

        await until(knows_bob)
        printed, _ = await alice.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
        assert (hub.jobs("alice"), hub.jobs("bob", "PENDING")) == jobs
        released = hub.cluster.run("gateway", ["scontrol", "release", jobs[1][0]])
        assert released.returncode == 0, released.stderr

        async def ready() -> bool:
            return bool((await bob.model())["servers"].get("", {}).get("ready"))

        await until(ready)
        assert (hub.jobs("alice"), hub.jobs("bob")) == jobs
        assert database.password not in hub.log()
