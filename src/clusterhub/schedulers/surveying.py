"""When a cluster is asked what it has and who may have it, for as many people as look at it."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.associations import Associations
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.budget import Budget
from clusterhub.schedulers.capacity import Survey
from clusterhub.schedulers.model import CommandResult

log = logging.getLogger("clusterhub.watch")

T = TypeVar("T")

INTERVAL = 30.0
"""Seconds for which a survey is as good as a new one."""
SELDOM = 120.0
"""The same for what changes by an operator's hand only."""
TO_CHOOSE = 300.0
"""The same for somebody who asks for what there is, and not for what of it is free."""
INTERVAL_AT_MOST = 600.0
"""The same after failures, doubled with each in a row. What is older than this is told to nobody."""
ASSOCIATIONS_INTERVAL = 900.0
"""Seconds for which what accounting says is as good as new: it is of all people, from a database."""
ASSOCIATIONS_AT_MOST = 86400.0
"""Seconds after which it is told to nobody, as accounting has been away for that long."""


class Shared(ABC, Generic[T]):
    """Asks a cluster something when somebody wants to know, and not more often than will do.

    ``ask`` runs a command of the scheduler's; ``budget`` is what the scheduler is asked to bear; ``now``
    tells seconds that never go back, ``time`` those since the epoch.
    """

    interval: ClassVar[float]
    """Seconds for which an answer is as good as a new one."""
    longest: ClassVar[float]
    """Seconds after which an answer is told to nobody."""
    subject: ClassVar[str]
    """What cannot be told while it fails."""

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
        self._answer: T | None = None
        self._answered_at = 0.0
        self._tried_at = -float("inf")
        self._pause = self.interval
        self._after_failure = INTERVAL
        self._under_way: asyncio.Task[None] | None = None

    async def _shared(self, patience: float, good_for: float) -> T | None:
        """The answer; None where nobody can tell.

        One that is not older than ``good_for`` seconds does at once. A new one is waited for ``patience``
        seconds; then an older one has to do, and the question goes on.
        """
        if self._answer is not None and self._now() - self._answered_at < good_for:
            return self._answer
        if self._under_way is None and self._is_due():
            name = f"clusterhub-{type(self).__name__.lower()}"
            self._under_way = asyncio.create_task(self._look(), name=name)
        if self._under_way is not None:
            await asyncio.wait([self._under_way], timeout=patience)
        if self._answer is None or self._now() - self._answered_at > self.longest:
            return None
        return self._answer

    async def close(self) -> None:
        """Stop a question that is under way."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait([self._under_way])

    def _is_due(self) -> bool:
        commands = self._commands()
        if commands is None:
            return False
        now = self._now()
        return now - self._tried_at >= self._pause and self._budget.delay(now, leave=len(commands)) <= 0

    async def _look(self) -> None:
        commands = self._commands() or ()
        began, self._tried_at = self._time(), self._now()
        self._pause = self._after_failure = min(
            2 * self._after_failure, INTERVAL_AT_MOST
        )  # unless it succeeds
        try:
            answers = []
            for argv in commands:
                self._budget.spend(self._now())
                answers.append(await self._ask(argv))
            # A line for each of thousands of nodes takes longer to read than the hub's loop may be held up.
            self._answer = await asyncio.to_thread(self._read, answers, began)
            self._answered_at = self._now()
            self._pause, self._after_failure = self.interval, INTERVAL
        except ClusterhubError as error:
            log.warning("%s cannot be told: %s", self.subject, error)
        except Exception:
            log.exception("%s could not be read", self.subject)
        finally:
            self._under_way = None

    @abstractmethod
    def _commands(self) -> tuple[tuple[str, ...], ...] | None:
        """What to ask; None where nobody can tell."""

    @abstractmethod
    def _read(self, answers: Sequence[CommandResult], taken_at: float) -> T:
        """The answer, in a thread. Raises ClusterhubError."""


class Surveying(Shared[Survey]):
    """What a cluster has, and what of it is free."""

    interval = INTERVAL
    longest = INTERVAL_AT_MOST
    subject = "What is free in the cluster"

    _seldom: Sequence[CommandResult] = ()
    """What was answered last to all questions but the first."""
    _seldom_at = -float("inf")

    async def survey(self, patience: float, good_for: float = INTERVAL) -> Survey | None:
        """What the cluster has; None where nobody can tell. See `Shared`."""
        return await self._shared(patience, good_for)

    def _commands(self) -> tuple[tuple[str, ...], ...] | None:
        commands = self._scheduler.survey()
        return commands if commands is None or self._now() - self._seldom_at >= SELDOM else commands[:1]

    def _read(self, answers: Sequence[CommandResult], taken_at: float) -> Survey:
        nodes, *seldom = answers
        survey = self._scheduler.parse_survey([nodes, *(seldom or self._seldom)], taken_at)
        if seldom:
            self._seldom, self._seldom_at = seldom, self._now()
        return survey


class Accounting(Shared[Associations]):
    """Who may use which account and quality of service."""

    interval = ASSOCIATIONS_INTERVAL
    longest = ASSOCIATIONS_AT_MOST
    subject = "Who may use which account"

    async def associations(self, patience: float) -> Associations | None:
        """What accounting says of everybody; None where nobody can tell. See `Shared`."""
        return await self._shared(patience, self.interval)

    def _commands(self) -> tuple[tuple[str, ...], ...] | None:
        return self._scheduler.associations()

    def _read(self, answers: Sequence[CommandResult], taken_at: float) -> Associations:  # noqa: ARG002 - surveys need it
        return self._scheduler.parse_associations(answers)
