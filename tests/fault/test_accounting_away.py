"""Without slurmdbd sessions start, run and end, and are explained from the queue; with it again, in full.

Without `Endings._learn`, or where an end without a time counts for `_accounted` of
`schedulers/slurm_accounting.py`, nobody ever reads who cancelled the session that ended meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fault.on_slurm import asked, page, person, until
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster

from clusterhub.hub.walkthrough import Walk

A_MINUTE = 5
"""Questions to accounting, at the most: first every 15 s, then ever more rarely."""


@contextmanager
def without_accounting(cluster: RealCluster) -> Iterator[None]:
    """While this holds, slurmdbd does not run."""
    cluster.stop(cluster.slurmdbd)
    try:
        yield
    finally:
        cluster.start(cluster.slurmdbd)


async def until_page_says(walk: Walk, words: str) -> str:
    """The session's page once it says this."""
    text = ""

    async def says() -> bool:
        nonlocal text
        text = await page(walk, f"user/{walk.person}/lab")
        return words in text

    await until(says)
    return text


async def test_sessions_start_run_and_end_without_accounting_and_are_explained_better_with_it(
    hub: LiveHub,
) -> None:
    cluster = hub.cluster
    async with person(hub, "alice") as alice, person(hub, "bob") as bob:
        with without_accounting(cluster):
            began, before = time.monotonic(), asked("sacct")
            # What the controller knows of accounts outlives its own restart. Who cancelled a job does not, so
            # that comes later.
            cluster.stop(cluster.slurmctld)
            cluster.start(cluster.slurmctld)
            cluster.wait_for_nodes()
            await alice.start({"profile": "debug"})
            await bob.start({"profile": "debug"})
            [job] = hub.jobs("alice")
            printed, _ = await alice.run_cell("print(6 * 7)")
            assert printed.strip() == "42"
            hub.cancel(job, "alice")
            text = await until_page_says(alice, "was cancelled")
            assert "cancelled by you" not in text
            minutes = 1 + (time.monotonic() - began) // 60
            assert asked("sacct") - before <= minutes * A_MINUTE
        await until_page_says(alice, "cancelled by you")
        printed, _ = await bob.run_cell("print(6 * 7)")
        assert printed.strip() == "42"
