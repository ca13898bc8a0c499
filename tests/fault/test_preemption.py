"""A preempted session is requeued, cancelled or suspended, as its partition says, and the person reads which.

Slurm preempts (``preempt/partition_prio``) for a job of a partition of a higher tier, which needs all of the
node. Without `Following._show` a session that was suspended for it does not answer; without
`ClusterSpawner._was_requeued` the page of a requeued one is of an address where nothing listens; without
`Outcome.PREEMPTED` in `OUTCOMES` nobody reads why the cancelled one ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.fault.on_slurm import until
from tests.fault.visits import is_ready, let_go, page, shows, told
from tests.hub_fixture import LiveHub

from clusterhub.hub.walkthrough import Walk


@asynccontextmanager
async def preempted(hub: LiveHub, profile: str) -> AsyncIterator[tuple[Walk, str, str, str]]:
    """Bob's session, its job and its kernel, and alice's urgent job that has begun in its place."""
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        await walk.start({"profile": profile})
        [job] = hub.jobs("bob")
        _, kernel = await walk.run_cell("answer = 6 * 7")
        done = hub.cluster.run(
            "gateway",
            ["sbatch", "--parsable", "--partition=urgent", "-c16", "--mem=100", "--wrap=sleep 600"],
            "alice",
        )
        assert done.returncode == 0, done.stderr
        urgent = done.stdout.strip()
        hub.cluster.wait_for_job(urgent, "RUNNING")
        yield walk, job, kernel, urgent


async def test_a_session_that_is_suspended_by_preemption_is_back_with_its_variables(hub: LiveHub) -> None:
    async with preempted(hub, "spare-suspend") as (walk, job, kernel, urgent):
        await until(lambda: shows(walk, "The scheduler has suspended job"))
        hub.cancel(urgent)
        await until(lambda: is_ready(walk))
        printed, _ = await walk.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
        assert hub.jobs("bob") == [job]


async def test_a_session_that_is_requeued_by_preemption_begins_anew_and_says_so(hub: LiveHub) -> None:
    async with preempted(hub, "spare-requeue") as (walk, job, _, urgent):
        await told(walk, "what kernels held in memory is lost")
        hub.cancel(urgent)
        let_go(hub, job)
        await until(lambda: is_ready(walk))
        printed, _ = await walk.run_cell("print('answer' in globals())")
        assert printed.strip() == "False"
        assert hub.jobs("bob") == [job]


async def test_a_session_that_is_cancelled_by_preemption_says_so(hub: LiveHub) -> None:
    async with preempted(hub, "spare-cancel") as (walk, _, _, urgent):
        words = "The scheduler took your session&#x27;s node for more urgent work."
        await until(lambda: shows(walk, words))
        assert "Start again" in await page(walk)
        status, ending = hub.api("GET", "clusterhub/endings/bob")
        assert status == 200
        assert ending["outcome"] == "preempted"
        hub.cancel(urgent)
