"""A session that the scheduler suspends shows as suspended, and is back by itself when that is over.

Without `Following._show` whoever visits it waits for an answer of a stopped process. Without
`RestoredServer` a restarted hub takes it for dead after a minute, and cancels its job; until then its page
says nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.fault.on_slurm import PATIENCE, until, until_said
from tests.fault.visits import is_ready, page, shows
from tests.hub_fixture import LiveHub

from clusterhub.hub.walkthrough import Walk

SUSPENDED = "The scheduler has suspended job"


@dataclass
class Suspended:
    """A session of alice's, which the scheduler has suspended."""

    hub: LiveHub
    walk: Walk
    job: str
    kernel: str

    def scontrol(self, verb: str) -> None:
        """Has the scheduler do that with the job."""
        done = self.hub.cluster.run("gateway", ["scontrol", verb, self.job])
        assert done.returncode == 0, done.stderr


@asynccontextmanager
async def suspended(hub: LiveHub) -> AsyncIterator[Suspended]:
    """The session, from the moment at which its page says so."""
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.start({"profile": "interactive"})
        [job] = hub.jobs("alice")
        _, kernel = await walk.run_cell("answer = 6 * 7")
        session = Suspended(hub, walk, job, kernel)
        session.scontrol("suspend")
        await until(lambda: shows(walk, SUSPENDED))
        yield session


async def last_event(walk: Walk) -> dict[str, Any]:
    """What the waiting page is told in the end."""

    async def read() -> dict[str, Any]:
        return [event async for event in walk.progress()][-1]

    return await asyncio.wait_for(read(), PATIENCE)


async def test_a_suspended_session_says_so_and_is_back_with_its_variables(hub: LiveHub) -> None:
    async with suspended(hub) as session:
        walk = session.walk
        assert (await walk.model())["servers"][""]["pending"] == "spawn"
        async with walk.http.get(f"{hub.url}/hub/home") as home:
            assert SUSPENDED in await home.text()
        await until_said(walk, SUSPENDED)
        going_on = asyncio.create_task(last_event(walk))
        await asyncio.to_thread(session.scontrol, "resume")
        assert (await going_on).get("ready")
        printed, _ = await walk.run_cell("print(answer)", kernel=session.kernel)
        assert printed.strip() == "42"
        assert hub.jobs("alice") == [session.job]


async def test_a_hub_that_is_killed_meanwhile_leaves_a_suspended_session_as_it_is(hub: LiveHub) -> None:
    async with suspended(hub) as session:
        hub.kill()
        hub.start()
        await until(lambda: shows(session.walk, SUSPENDED))
        assert hub.cluster.job_state(session.job) == "SUSPENDED"
        session.scontrol("resume")
        await until(lambda: is_ready(session.walk))
        printed, _ = await session.walk.run_cell("print(answer)", kernel=session.kernel)
        assert printed.strip() == "42"
        assert hub.jobs("alice") == [session.job]


async def test_a_suspended_session_can_be_stopped(hub: LiveHub) -> None:
    async with suspended(hub) as session:
        await hub.stop_session(session.walk)
        assert hub.wait_for_no_job("alice")
        assert SUSPENDED not in await page(session.walk)


async def test_a_suspended_session_that_is_cancelled_says_that_it_has_ended(hub: LiveHub) -> None:
    async with suspended(hub) as session:
        ending = asyncio.create_task(last_event(session.walk))
        await asyncio.to_thread(hub.cancel, session.job)
        said = await ending
        assert said["failed"]
        assert "cancelled" in said["message"]
