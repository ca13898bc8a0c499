"""A stop at any moment leaves no job, and the next start works at once; also where scancel fails for a while.

Without `Launch.settle` in `ClusterSpawner.stop` the job of a stop during the submit goes on. Without
`Cancellations` the jobs whose cancel failed go on, and without their file those of a hub that was killed do;
where `Clusters.live_job` knows nothing of them, the next start joins a job that is to end.
"""

from __future__ import annotations

import asyncio

from tests.fault.on_slurm import (
    PATIENCE,
    lying,
    page,
    person,
    server,
    submitted,
    until,
    until_ready,
    until_said,
    until_told,
)
from tests.hub_fixture import LiveHub


async def test_a_stop_while_the_job_is_submitted_waits_or_starts_leaves_none(hub: LiveHub) -> None:
    async with person(hub, "bob") as bob:
        before = set(hub.jobs("bob", "all"))
        with lying("sbatch", "late"):
            submitting = asyncio.create_task(until_told("sbatch"))
            await asyncio.sleep(0)
            await bob.press_start({"profile": "debug"})
            await submitting
            assert (await server(bob))["pending"] == "spawn"
            await bob.stop()
        [late] = set(hub.jobs("bob", "all")) - before
        hub.wanted_cancels.add(late)
        assert hub.wait_for_no_job("bob", 5)

        await bob.press_start({"profile": "held"})
        await until_said(bob, r"Job \d+ waits")
        await hub.stop_session(bob)
        assert hub.wait_for_no_job("bob", 5)

        await bob.press_start({"profile": "debug"})
        await until_said(bob, "runs on n1|has reported")
        stopped = hub.expect_cancel("bob")
        await bob.stop()

        await bob.start({"profile": "debug"})
        [job] = set(hub.jobs("bob")) - set(stopped)
        assert {cancel.job for cancel in hub.cancels()} >= {late, *stopped}
        assert job not in {cancel.job for cancel in hub.cancels()}


async def test_cancels_that_fail_for_a_while_are_tried_until_they_are_taken(hub: LiveHub) -> None:
    async with person(hub, "bob") as bob:
        await bob.start({"profile": "debug"})
        await bob.press_start({"profile": "held"}, "second")
        await until_said(bob, r"Job \d+ waits", "second")
        jobs = frozenset(hub.jobs("bob"))
        with lying("scancel", "error"):
            await hub.stop_session(bob)
            await hub.stop_session(bob, "second")
            assert hub.jobs("bob") == sorted(jobs)
            hub.kill()  # also the next hub knows that they are to end
            hub.start()

            async def both_are_told() -> bool:
                text = await page(bob)
                return all(
                    f"Job {job} on main, which you stopped, is still being stopped" in text for job in jobs
                )

            await until(both_are_told)
            await bob.press_start({"profile": "debug"})
            fresh = await submitted(hub, "bob", jobs)
            await until_ready(bob)
            assert set(hub.jobs("bob")) == {*jobs, fresh}

        async def are_gone() -> bool:
            return hub.jobs("bob") == [fresh]

        await until(are_gone, PATIENCE)

        async def nothing_is_told() -> bool:
            return "is still being stopped" not in await page(bob)

        await until(nothing_is_told)
