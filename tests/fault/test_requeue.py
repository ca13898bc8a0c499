"""A job that the scheduler takes back and runs again is the same session, begun anew.

Without `ClusterSpawner._was_requeued` the server counts as running while its job waits, and the person meets
an address where nothing listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.hub_fixture import LiveHub

from clusterhub.hub.walkthrough import Walk

PATIENCE = 60.0


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Returns when the condition holds."""

    async def poll() -> None:
        while not await true():  # noqa: ASYNC110 - the hub's state is asked for over HTTP
            await asyncio.sleep(0.2)

    await asyncio.wait_for(poll(), PATIENCE)


async def test_a_requeued_session_starts_anew_by_itself_and_says_so(hub: LiveHub) -> None:
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.start({"profile": "interactive"})
        [job] = hub.jobs("alice")
        await walk.run_cell("answer = 6 * 7")
        hub.cluster.run("gateway", ["scontrol", "requeue", job])

        async def server() -> dict[str, Any]:
            found: dict[str, Any] = (await walk.model())["servers"].get("", {})
            return found

        async def is_starting_again() -> bool:
            return (await server()).get("pending") == "spawn"

        async def is_ready() -> bool:
            return bool((await server()).get("ready"))

        await until(is_starting_again)
        async for event in walk.progress():
            if "what kernels held in memory is lost" in event.get("message", ""):
                break
        # Slurm lets a requeued job wait for two minutes; an operator can let it go at once.
        hub.cluster.run("gateway", ["scontrol", "update", f"job={job}", "StartTime=now"])
        await until(is_ready)
        assert hub.jobs("alice") == [job]
        printed, _ = await walk.run_cell("print('answer' in globals())")
        assert printed.strip() == "False"
        await hub.stop_session(walk)
        assert hub.wait_for_no_job("alice")
