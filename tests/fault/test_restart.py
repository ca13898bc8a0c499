"""Hub and proxy stop and come back, at any moment; sessions and places in the queue stay without a click.

Without `ClusterSpawner.load_state` making an interrupted start of what JupyterHub takes for a running server,
the jobs that wait are cancelled; without `clusterhub.hub.resumption` nobody goes on with them. Without
`Clusters.live_job` in `Launch._find_or_submit` the job that the scheduler had taken gets a second one beside
it, and without `Clusters.unheard_until` so does the one that it takes late.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp
import pytest
from tests.fault.on_slurm import (
    lying,
    person,
    place,
    release,
    submitted,
    told,
    until_ready,
    until_said,
    until_told,
)
from tests.hub_fixture import LiveHub
from tests.real_cluster import hub as hub_module
from tests.real_cluster import processes

from clusterhub.hub.walkthrough import Walk

TWO_SECONDS = aiohttp.ClientTimeout(total=2)


@pytest.mark.parametrize("end", [LiveHub.stop, LiveHub.kill], ids=["stopped", "killed"])
async def test_sessions_that_run_and_that_wait_go_on_by_themselves(
    hub: LiveHub, end: Callable[[LiveHub], None]
) -> None:
    async with person(hub, "alice") as alice, person(hub, "bob") as bob:
        await bob.press_start({"profile": "held"})
        await alice.start({"profile": "debug"})
        [job], waiting = hub.jobs("alice"), await submitted(hub, "bob")
        places = place(hub, job), place(hub, waiting)
        _, kernel = await alice.run_cell("answer = 6 * 7")
        await until_said(bob, rf"Job {waiting} waits")
        end(hub)
        assert hub_module.hub_processes(hub.cluster) == {}
        assert (place(hub, job), place(hub, waiting)) == places
        hub.start()
        printed, _ = await alice.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
        await until_said(bob, rf"Job {waiting} waits")
        assert (place(hub, job), place(hub, waiting)) == places
        release(hub, waiting)
        await until_ready(bob)
        printed, _ = await bob.run_cell("import os; print(os.environ['SLURM_JOB_ID'])")
        assert printed.strip() == waiting
        assert hub.jobs("alice") + hub.jobs("bob") == [job, waiting]
        await hub.stop_session(alice)
        assert hub.wait_for_no_job("alice", 5)


async def test_a_hub_killed_before_it_hears_of_a_job_that_is_taken_makes_no_second(hub: LiveHub) -> None:
    async with person(hub, "bob") as bob:
        with lying("sbatch", "taken-and-hang"):
            await press_and_kill(hub, bob)
        hub.start()
        await one_job_opens(hub, bob)


async def test_a_hub_killed_while_its_job_is_still_being_submitted_makes_no_second(hub: LiveHub) -> None:
    async with person(hub, "bob") as bob:
        before = told("sbatch")
        with lying("sbatch", "wait"):
            await press_and_kill(hub, bob)
            hub.start()
            await until_said(bob, "No certain answer came to the submission; looking for the job")
            assert (told("sbatch") - before, hub.jobs("bob")) == (1, [])
        await one_job_opens(hub, bob)


async def press_and_kill(hub: LiveHub, walk: Walk) -> None:
    """The hub is killed while it waits for sbatch."""
    submitting = asyncio.create_task(until_told("sbatch"))
    await asyncio.sleep(0)
    await walk.press_start({"profile": "held"})
    await submitting
    hub.kill()


async def one_job_opens(hub: LiveHub, walk: Walk) -> None:
    """The start goes on by itself, with the one job that there is."""
    job = await submitted(hub, walk.person)
    await until_said(walk, rf"Job {job} waits")
    release(hub, job)
    await until_ready(walk)
    assert hub.jobs(walk.person) == [job]


async def test_a_killed_proxy_comes_back_with_its_routes(
    hub: LiveHub, record_property: Callable[[str, object], None]
) -> None:
    async with person(hub, "alice") as walk:
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
