"""When a cluster is asked what it has, for as many people as look at it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.budget import Budget
from clusterhub.schedulers.capacity import Survey
from clusterhub.schedulers.model import CommandResult

log = logging.getLogger("clusterhub.watch")

INTERVAL = 30.0
"""Seconds for which a survey is as good as a new one."""
INTERVAL_AT_MOST = 600.0
"""The same after failures, doubled with each in a row. What is older than this is told to nobody."""


class Surveying:
    """Surveys a cluster when somebody wants to know, and not more often than will do.

    ``ask`` runs a command of the scheduler's; ``budget`` is what the scheduler is asked to bear; ``now``
    tells seconds that never go back, ``time`` those since the epoch.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        ask: Callable[[tuple[str, ...]], Awaitable[CommandResult]],
        budget: Budget,
        now: Callable[[], float],
        time: Callable[[], float],
    ) -> None:
        self._scheduler = scheduler
        self._ask = ask
        self._budget = budget
        self._now = now
        self._time = time
        self._survey: Survey | None = None
        self._surveyed_at = 0.0
        self._tried_at = -INTERVAL_AT_MOST
        self._pause = INTERVAL
        self._under_way: asyncio.Task[None] | None = None

    async def survey(self, patience: float) -> Survey | None:
        """What the cluster has; None where nobody can tell.

        It is waited for ``patience`` seconds; then an older survey has to do, and the new one goes on.
        """
        if self._under_way is None and self._is_due():
            self._under_way = asyncio.create_task(self._look(), name="clusterhub-survey")
        if self._under_way is not None:
            await asyncio.wait([self._under_way], timeout=patience)
        if self._survey is None or self._now() - self._surveyed_at > INTERVAL_AT_MOST:
            return None
        return self._survey

    async def close(self) -> None:
        """Stop a survey that is under way."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait([self._under_way])

    def _is_due(self) -> bool:
        commands = self._scheduler.survey()
        if commands is None:
            return False
        now = self._now()
        return now - self._tried_at >= self._pause and self._budget.delay(now, leave=len(commands)) <= 0

    async def _look(self) -> None:
        commands = self._scheduler.survey() or ()
        began, self._tried_at = self._time(), self._now()
        self._pause = min(2 * self._pause, INTERVAL_AT_MOST)  # unless it succeeds
        try:
            answers = []
            for argv in commands:
                self._budget.spend(self._now())
                answers.append(await self._ask(argv))
            # A line for each of thousands of nodes takes longer to read than the hub's loop may be held up.
            self._survey = await asyncio.to_thread(self._scheduler.parse_survey, answers, began)
            self._surveyed_at = self._now()
            self._pause = INTERVAL
        except ClusterhubError as error:
            log.warning("What is free in the cluster cannot be told: %s", error)
        except Exception:
            log.exception("The cluster could not be surveyed")
        finally:
            self._under_way = None
