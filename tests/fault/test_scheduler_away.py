"""A scheduler that is away ends no session, and nothing is started twice when it is back; the pages say so.

Where `ledger.look_failed` keeps no jobs, the sessions end. Without `Launch._progress` looking at the
snapshot's error and `clusterhub.hub.notices` no page says why nothing moves. Where
`ClusterSpawner._persistently` raises also for starts that go on, the hub that is restarted meanwhile gives up
the job that waits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests import hub_site
from tests.fault.on_slurm import (
    AWAY,
    NOTICE,
    lying,
    page,
    person,
    release,
    server,
    submitted,
    until,
    until_asked,
    until_ready,
    until_said,
)
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster

from clusterhub.hub.walkthrough import WalkFailed

LOOKS = 4
"""More than it takes to give up a job that is absent, and so many that the hub has polled its spawners."""


@contextmanager
def without_controller(cluster: RealCluster) -> Iterator[None]:
    """While this holds, slurmctld does not run, and squeue takes one second to find that out, not ten."""
    text = (cluster.data / "etc" / "slurm" / "slurm.conf").read_text()
    sooner, changed = re.subn("^MessageTimeout=.*$", "MessageTimeout=1", text, flags=re.MULTILINE)
    assert changed == 1
    (hub_site.COMMANDS / "squeue.conf").write_text(sooner)
    cluster.stop(cluster.slurmctld)
    try:
        with lying("squeue", "impatient"):
            yield
    finally:
        cluster.start(cluster.slurmctld)
        cluster.wait_for_nodes()


async def test_all_go_on_while_the_controller_is_away_and_the_pages_say_so(hub: LiveHub) -> None:
    async with person(hub, "alice") as alice, person(hub, "bob") as bob:
        await bob.press_start({"profile": "held"})
        await alice.start({"profile": "debug"})
        jobs, waiting = hub.jobs("alice"), await submitted(hub, "bob")
        _, kernel = await alice.run_cell("answer = 6 * 7")
        await until_said(bob, rf"Job {waiting} waits")
        with without_controller(hub.cluster):
            await until_said(bob, AWAY)

            async def is_told() -> bool:
                return NOTICE in await page(alice)

            await until(is_told)
            assert NOTICE in await page(bob, "spawn/bob/second")
            with pytest.raises(WalkFailed, match="cannot be reached, so nothing was submitted"):
                await bob.start({"profile": "debug"}, "second")
            await until_asked("squeue", LOOKS)
            assert (await server(alice))["ready"]
            assert (await server(bob))["pending"] == "spawn"

            hub.kill()
            hub.start()
            await until_said(bob, AWAY)
            assert (await server(alice))["ready"]
            assert (await server(bob))["pending"] == "spawn"
            printed, _ = await alice.run_cell("print(answer)", kernel=kernel)
            assert printed.strip() == "42"

        async def is_not_told() -> bool:
            return NOTICE not in await page(alice)

        await until(is_not_told)
        assert hub.jobs("alice") + hub.jobs("bob") == [*jobs, waiting]
        release(hub, waiting)
        await until_ready(bob)
        await bob.start({"profile": "debug"}, "second")
        assert len(hub.jobs("bob")) == 2
        printed, _ = await alice.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
