"""Two hubs on one cluster, for the same person and the same server, leave each other's jobs alone.

Without the hub's id in the tag (`clusterhub.spawner.tags`) the second start joins the first one's job, and
the hub that is restarted takes both for its own. Without the comparison of ids in
`clusterhub.hub.orphans.look` each lists the other's jobs as orphans, and `--end` cancels them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests import hub_site
from tests.fault.on_slurm import person, release, server, submitted, until_ready, until_said
from tests.hub_fixture import LiveHub
from tests.real_cluster import construction, processes
from tests.real_cluster import hub as hub_module


@pytest.fixture
def second(hub: LiveHub) -> Iterator[LiveHub]:
    """Another hub on the same gateway, with an id and a state directory of its own."""
    cluster = hub.cluster
    with construction.listen(0) as listening:
        port = listening.getsockname()[1]
        forwarder = construction.start_forwarder(cluster.footprint(), listening, hub_site.SECOND.port)
        other = LiveHub(
            cluster, f"http://127.0.0.1:{port}", hub_site.second_text(port), place=hub_site.SECOND
        )
        try:
            other.start()
            yield other
        finally:
            other.kill()
            processes.kill([forwarder.pid])
            forwarder.wait()


def orphans(hub: LiveHub) -> str:
    """What `clusterhub orphans --end` says on the gateway."""
    program = str(hub_module.virtual_environment() / "bin" / "clusterhub")
    environment = {"CLUSTERHUB_SITE": str(hub.place.site)}
    done = hub.cluster.run("gateway", [program, "orphans", "--end"], env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_neither_touches_the_others_jobs_also_after_both_were_killed(
    hub: LiveHub, second: LiveHub
) -> None:
    async with (
        person(hub, "bob") as here,
        person(second, "bob") as there,
    ):
        await here.start({"profile": "debug"})
        [first_job] = hub.jobs("bob")
        await there.press_start({"profile": "held"})
        second_job = await submitted(hub, "bob", frozenset([first_job]))
        assert hub.comment(first_job) == "clusterhub:under-test:bob:"
        assert hub.comment(second_job) == "clusterhub:second:bob:"
        assert (await server(here))["ready"]
        for each in (hub, second):
            assert "no job of this hub" in orphans(each)

        hub.kill()
        second.kill()
        assert "no job of this hub" in orphans(second)
        hub.start()
        second.start()
        await until_ready(here)
        await until_said(there, rf"Job {second_job} waits")
        assert sorted(hub.jobs("bob")) == sorted([first_job, second_job])
        for each in (hub, second):
            assert "no job of this hub" in orphans(each)

        release(hub, second_job)
        await until_ready(there)
        for walk, job in ((here, first_job), (there, second_job)):
            printed, _ = await walk.run_cell("import os; print(os.environ['SLURM_JOB_ID'])")
            assert printed.strip() == job
        hub.wanted_cancels.add(first_job)
        await here.stop()
        assert hub.jobs("bob") == [second_job]
        assert (await server(there))["ready"]
