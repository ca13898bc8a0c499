"""Jobs that are to end: followed until the scheduler confirms that they have."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from clusterhub.errors import ClusterhubError

if TYPE_CHECKING:
    from clusterhub.spawner.clusters import Clusters

log = logging.getLogger("clusterhub")

REFUSED_PAUSE = 5.0
"""Seconds until a cancel that the scheduler did not take is tried again."""

TAKEN_PAUSE = 60.0
"""Seconds until a job that goes on after a cancel is cancelled again: longer than Slurm's KillWait (30 s)."""


class Cancellations:
    """The jobs of all clusters that are being ended."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def __contains__(self, job: tuple[str, str]) -> bool:
        """True for (cluster, job id) while that job is being ended: it is nobody's to adopt."""
        return job in self._tasks

    async def cancel(self, cluster: str, person: str, job_id: str) -> None:
        """Tells the scheduler to end a job; returns after the first try, and tries on until it is over."""
        job = (cluster, job_id)
        if job not in self._tasks:
            tried = asyncio.Event()
            self._tasks[job] = asyncio.create_task(self._see_it_end(cluster, person, job_id, tried))
            self._tasks[job].add_done_callback(lambda _: self._tasks.pop(job))
            await tried.wait()

    async def _see_it_end(self, cluster: str, person: str, job_id: str, tried: asyncio.Event) -> None:
        watch = self._clusters[cluster].watch
        while not watch.is_over(job_id):
            pause = TAKEN_PAUSE
            try:
                await self._try(cluster, person, job_id)
            except ClusterhubError as error:
                log.warning("Job %s of %s is not cancelled yet; trying on. %s", job_id, person, error)
                pause = REFUSED_PAUSE
            tried.set()
            await watch.until_over(job_id, pause)
        tried.set()

    async def _try(self, cluster: str, person: str, job_id: str) -> None:
        scheduler = self._clusters[cluster].scheduler
        scheduler.parse_cancellation(
            await self._clusters.broker.cancel(person, scheduler.cancellation(job_id))
        )
