"""When exactly a request would start, asked of the scheduler as the person, and not too often.

An answer is kept for some seconds, so that who goes back and forth in the form does not ask again. Besides
that there are two limits: one for each person, and one for each cluster, whoever asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusterhub.errors import ClusterhubError
from clusterhub.languages.text import _
from clusterhub.schedulers.budget import Budget
from clusterhub.schedulers.model import JobRequest, SchedulerError

if TYPE_CHECKING:
    from clusterhub.spawner.clusters import Clusters

FRESH = 20.0
"""Seconds for which an answer is as good as a new one."""
PER_MINUTE, BURST = 60.0, 15
"""Of each cluster: how often it is asked for all people together, for as long as it goes on, and at once."""
PERSON_PER_MINUTE, PERSON_BURST = 15.0, 6
"""The same of each person."""


class AskedEnough(ClusterhubError):
    """The scheduler is not asked now; ``seconds`` later it may be."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            _("The scheduler has been asked often enough just now; it is asked again in a moment."),
        )
        self.seconds = seconds


@dataclass(frozen=True)
class _Asked:
    at: float
    answer: asyncio.Task[float]


class Estimates:
    """For one hub. ``now`` tells seconds that never go back."""

    def __init__(self, clusters: Clusters, now: Callable[[], float] = time.monotonic) -> None:
        self._clusters = clusters
        self._now = now
        self._asked: dict[tuple[str, ...], _Asked] = {}
        self._of_clusters: dict[str, Budget] = {}
        self._of_people: dict[str, Budget] = {}

    async def starts_at(self, cluster: str, request: JobRequest) -> float:
        """When such a job would start, in seconds since the epoch.

        Raises SubmitRefused where it would be refused, AskedEnough, SchedulerError where nobody can tell, and
        BrokerError.
        """
        scheduler = self._clusters.at_rest(cluster).scheduler
        argv = scheduler.estimate(request)
        if argv is None:
            raise SchedulerError(_("This cluster does not tell when a session would start."), where=cluster)
        key = (request.person, cluster, *argv)
        now = self._now()
        self._asked = {each: asked for each, asked in self._asked.items() if now - asked.at < FRESH}
        if key not in self._asked:
            self._spend(cluster, request.person, now)
            self._asked[key] = _Asked(now, asyncio.create_task(self._ask(cluster, request.person, argv)))
        # Who stops waiting does not take the answer from others who wait for the same.
        return await asyncio.shield(self._asked[key].answer)

    async def _ask(self, cluster: str, person: str, argv: tuple[str, ...]) -> float:
        result = await self._clusters.broker.estimate(person, argv)
        return self._clusters.at_rest(cluster).scheduler.parse_estimate(result)

    def _spend(self, cluster: str, person: str, now: float) -> None:
        """Raises AskedEnough where that would be too much for either."""
        rested = [name for name, each in self._of_people.items() if each.left(now) >= PERSON_BURST]
        for name in rested:
            del self._of_people[name]
        of_cluster = self._of_clusters.setdefault(cluster, Budget(PER_MINUTE, BURST, now))
        of_person = self._of_people.setdefault(person, Budget(PERSON_PER_MINUTE, PERSON_BURST, now))
        delay = max(of_cluster.delay(now), of_person.delay(now))
        if delay > 0:
            raise AskedEnough(delay)
        of_cluster.spend(now)
        of_person.spend(now)
