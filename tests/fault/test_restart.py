"""Hub and proxy stop and come back; sessions go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp
import pytest
from tests.hub_fixture import LiveHub
from tests.real_cluster import hub as hub_module
from tests.real_cluster import processes

from clusterhub.hub.walkthrough import Walk

TWO_SECONDS = aiohttp.ClientTimeout(total=2)


@pytest.mark.parametrize("end", [LiveHub.stop, LiveHub.kill], ids=["stopped", "killed"])
async def test_a_session_keeps_its_variables_while_the_hub_is_away(
    hub: LiveHub, end: Callable[[LiveHub], None]
) -> None:
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.start({"profile": "debug"})
        jobs = hub.jobs("alice")
        _, kernel = await walk.run_cell("answer = 6 * 7")
        end(hub)
        assert hub_module.hub_processes(hub.cluster) == {}
        assert hub.jobs("alice") == jobs
        hub.start()
        printed, _ = await walk.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
        assert hub.jobs("alice") == jobs
        await hub.stop_session(walk)
        assert hub.wait_for_no_job("alice", 5)


async def test_a_killed_proxy_comes_back_with_its_routes(
    hub: LiveHub, record_property: Callable[[str, object], None]
) -> None:
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.start({"profile": "debug"})
        _, kernel = await walk.run_cell("answer = 6 * 7")
        [proxy] = [
            pid
            for pid, command in hub_module.hub_processes(hub.cluster).items()
            if "configurable-http-proxy" in command
        ]
        processes.kill([proxy])
        begin = time.monotonic()
        while True:
            try:
                async with walk.http.get(f"{hub.url}/user/alice/api/status", timeout=TWO_SECONDS) as answer:
                    if answer.status == 200 and "kernels" in await answer.text():
                        break
            except (aiohttp.ClientError, asyncio.TimeoutError):
                pass
            assert time.monotonic() - begin < 30
            await asyncio.sleep(0.1)
        record_property("seconds", time.monotonic() - begin)
        printed, _ = await walk.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
