"""A job that the scheduler takes back and runs again is the same session, begun anew.

Without `ClusterSpawner._was_requeued` the server counts as running while its job waits, and the person meets
an address where nothing listens; a hub that is restarted meanwhile then takes it for one that runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.fault.on_slurm import until
from tests.fault.visits import is_ready, let_go, told
from tests.hub_fixture import LiveHub

from clusterhub.hub.walkthrough import Walk

REQUEUED = "what kernels held in memory is lost"


@asynccontextmanager
async def session(hub: LiveHub) -> AsyncIterator[tuple[Walk, str]]:
    """A session of alice's and its job, which is the same in the end, and begun anew."""
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.start({"profile": "interactive"})
        [job] = hub.jobs("alice")
        await walk.run_cell("answer = 6 * 7")
        before = endpoint(hub)
        yield walk, job
        let_go(hub, job)
        await until(lambda: is_ready(walk))
        assert hub.jobs("alice") == [job]
        printed, _ = await walk.run_cell("print('answer' in globals())")
        assert printed.strip() == "False"
        # The certificate of the former run is not one of this.
        assert endpoint(hub).rpartition(":")[0] != before.rpartition(":")[0]


def endpoint(hub: LiveHub) -> str:
    """Where the hub reaches alice's session."""
    return str(hub.servers("alice")[""]["state"]["endpoint"])


def scontrol(hub: LiveHub, *words: str) -> None:
    """What an operator does."""
    done = hub.cluster.run("gateway", ["scontrol", *words])
    assert done.returncode == 0, done.stderr


async def test_a_requeued_session_starts_anew_by_itself_and_says_so(hub: LiveHub) -> None:
    async with session(hub) as (walk, job):
        scontrol(hub, "requeue", job)
        await told(walk, REQUEUED)


async def test_a_session_that_is_requeued_while_the_hub_is_away_starts_anew_by_itself(hub: LiveHub) -> None:
    async with session(hub) as (walk, job):
        hub.kill()
        scontrol(hub, "requeue", job)
        hub.cluster.wait_for_job(job, "PENDING")
        hub.start()
        await told(walk, REQUEUED)


@pytest.mark.parametrize("state", ["requeue hold", "special exit"])
async def test_a_session_that_is_requeued_and_held_says_so_until_it_is_released(
    hub: LiveHub, state: str
) -> None:
    async with session(hub) as (walk, job):
        scontrol(hub, "requeuehold", *(["State=SpecialExit"] if state == "special exit" else []), job)
        await told(walk, "held")
        hub.kill()
        hub.start()
        await told(walk, REQUEUED)
        scontrol(hub, "release", job)
