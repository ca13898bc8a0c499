"""When the jobs that wait are counted, and whether their number may be told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.budget import Budget
from clusterhub.schedulers.model import CommandResult, Position

log = logging.getLogger("clusterhub.watch")

INTERVAL = 30.0
"""Seconds between two counts: the answer has all jobs that wait, of anybody, which may be thousands."""
INTERVAL_AT_MOST = 600.0
"""The same after failures, doubled with each in a row."""
FOR_NEWCOMERS = 10.0
"""The same where a job of ours waits that was not there when they were last counted."""
LEFT = 1
"""Queries that are left for looks."""
PRIVACY_AGAIN = 3600.0
"""Seconds after which a site is asked again whether its jobs are private."""

NONE: Mapping[str, tuple[Position, ...]] = {}


class Counting:
    """Counts how many jobs are ahead of each one that waits, as rarely as will do.

    ``ask`` runs a command of the scheduler's; ``budget`` is what the scheduler is asked to bear; ``now``
    tells seconds that never go back.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        ask: Callable[[tuple[str, ...]], Awaitable[CommandResult]],
        budget: Budget,
        now: Callable[[], float],
    ) -> None:
        self._scheduler = scheduler
        self._ask = ask
        self._budget = budget
        self._now = now
        self._counted_at = -INTERVAL_AT_MOST
        self._counted: frozenset[str] = frozenset()
        self._pause = INTERVAL
        self._fails = False
        self._private: bool | None = None
        self._privacy_at = 0.0

    def is_due(self, waiting: frozenset[str]) -> bool:
        """Whether to count for these jobs of ours now, as far as the budget goes."""
        if not waiting or self._scheduler.positions() is None:
            return False
        now = self._now()
        pause = self._pause
        if not self._fails and not waiting <= self._counted:
            pause = FOR_NEWCOMERS
        return now - self._counted_at >= pause and self._budget.delay(now, leave=LEFT) <= 0

    async def count(self, waiting: frozenset[str]) -> Mapping[str, tuple[Position, ...]]:
        """The positions of the jobs that wait for their turn, by id; none where they cannot be told."""
        self._counted = waiting
        try:
            positions = await self._count()
        except ClusterhubError as error:
            log.warning("How many jobs are ahead of others cannot be told: %s", error)
            self._fails, self._pause = True, min(2 * self._pause, INTERVAL_AT_MOST)
            positions = NONE
        else:
            self._fails, self._pause = False, INTERVAL
        self._counted_at = self._now()
        return positions

    async def _count(self) -> Mapping[str, tuple[Position, ...]]:
        argv = self._scheduler.positions()
        if argv is None or await self._jobs_are_private():
            return NONE
        self._budget.spend(self._now())
        answer = await self._ask(argv)
        # Thousands of lines take longer to read than the hub's loop may be held up.
        return await asyncio.to_thread(self._scheduler.parse_positions, answer)

    async def _jobs_are_private(self) -> bool:
        argv = self._scheduler.privacy()
        if argv is None:
            return False
        if self._private is None or self._now() >= self._privacy_at:
            self._budget.spend(self._now())
            self._private = self._scheduler.parse_privacy(await self._ask(argv))
            self._privacy_at = self._now() + PRIVACY_AGAIN
        return self._private
