"""Jobs that are to end: followed until the scheduler confirms that they have, through restarts of the hub."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clusterhub.audit.events import Cancelled
from clusterhub.errors import ClusterhubError

if TYPE_CHECKING:
    from clusterhub.spawner.clusters import Clusters

log = logging.getLogger("clusterhub")

FILE = "cancellations.json"
"""Its name in the hub's state directory."""

REFUSED_PAUSE = 5.0
"""Seconds until a cancel that the scheduler did not take is tried again."""

AFTER_GRACE = 30.0
"""Seconds beyond the scheduler's time of grace, after which a job that goes on is cancelled again."""


@dataclass(frozen=True)
class Doomed:
    """A job that is to end."""

    cluster: str
    person: str
    job: str


class Cancellations:
    """The jobs of all clusters that are being ended, kept in a file until they have."""

    def __init__(self, clusters: Clusters, path: Path) -> None:
        self._clusters = clusters
        self._path = path
        self._tasks: dict[Doomed, asyncio.Task[None]] = {}
        self._refused: set[Doomed] = set()
        """Those whose last cancel the scheduler did not take."""
        self._elsewhere: list[Doomed] = []
        """On clusters that site.toml does not name now, and may again."""
        self._unsaved = False
        """True while the file could not be written, such as on a full disk."""

    def __contains__(self, job: tuple[str, str]) -> bool:
        """True for (cluster, job id) while that job is being ended: it is nobody's to adopt."""
        return any((doomed.cluster, doomed.job) == job for doomed in self._tasks)

    def not_taken(self, person: str) -> tuple[Doomed, ...]:
        """The person's jobs that are to end, and whose cancel the scheduler has not taken so far."""
        return tuple(doomed for doomed in self._tasks if doomed.person == person and doomed in self._refused)

    def resume(self) -> None:
        """Go on with what an earlier hub left. Needs a running loop."""
        try:
            left = [Doomed(**each) for each in json.loads(self._path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError) as error:
            log.warning("Jobs that were to end may go on: %s cannot be read: %s", self._path, error)
            return
        known = self._clusters.site.clusters
        self._elsewhere = [doomed for doomed in left if doomed.cluster not in known]
        # Not written down again one by one: a hub that is killed on the way would have lost the others.
        for doomed in left:
            if doomed.cluster in known:
                self._follow(doomed)

    async def cancel(self, cluster: str, person: str, job_id: str) -> None:
        """Tells the scheduler to end a job; returns after the first try, and tries on until it is over."""
        doomed = Doomed(cluster, person, job_id)
        if doomed not in self._tasks:
            self._clusters.audit.note(Cancelled(person=person, cluster=cluster, job=job_id))
            tried = self._follow(doomed)
            self._save()
            await tried.wait()

    def _follow(self, doomed: Doomed) -> asyncio.Event:
        """Begins to end a job; the event is set when that has been tried once."""
        tried = asyncio.Event()
        task = self._tasks[doomed] = asyncio.create_task(self._see_it_end(doomed, tried))
        task.add_done_callback(lambda _: self._forget(doomed))
        return tried

    def _forget(self, doomed: Doomed) -> None:
        task = self._tasks.pop(doomed)
        self._refused.discard(doomed)
        if not task.cancelled():  # as it is when the hub ends: the next one goes on with it
            self._save()

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        text = json.dumps([asdict(doomed) for doomed in (*self._elsewhere, *self._tasks)])
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            # This hub sees to them all the same; what was kept before stays as it was.
            if not self._unsaved:
                log.error("Which jobs are to end is not kept for the next hub: %s: %s", self._path, error)
            self._unsaved = True
        else:
            self._unsaved = False

    async def _see_it_end(self, doomed: Doomed, tried: asyncio.Event) -> None:
        cluster = self._clusters[doomed.cluster]
        watch = cluster.watch
        try:
            while not watch.is_over(doomed.job):
                pause = cluster.scheduler.grace + AFTER_GRACE
                try:
                    await self._try(doomed)
                    self._refused.discard(doomed)
                except Exception as error:
                    # Also for a mistake of ours no job is forgotten that is to end.
                    ours = not isinstance(error, ClusterhubError)
                    self._refused.add(doomed)
                    log.warning(
                        "Job %s of %s is not cancelled yet: %s",
                        doomed.job,
                        doomed.person,
                        error,
                        exc_info=ours,
                    )
                    pause = REFUSED_PAUSE
                tried.set()
                if self._unsaved:
                    self._save()
                await watch.until_over(doomed.job, pause)
        finally:
            tried.set()

    async def _try(self, doomed: Doomed) -> None:
        scheduler = self._clusters[doomed.cluster].scheduler
        argv = scheduler.cancellation(doomed.job)
        scheduler.parse_cancellation(await self._clusters.broker.cancel(doomed.person, argv))
