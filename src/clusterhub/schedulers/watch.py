"""The watch: the one place that asks a scheduler anything about jobs. One for each cluster.

It makes one query for all sessions of all people, and one of accounting for all jobs that left the queue.
Progress, poll, metrics and pages read its snapshot; none of them asks the scheduler. It never gives up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Protocol

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers import command, ledger
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.budget import Budget
from clusterhub.schedulers.changes import Changes
from clusterhub.schedulers.clock import Clock, SystemClock
from clusterhub.schedulers.counting import Counting
from clusterhub.schedulers.ledger import Ledger
from clusterhub.schedulers.model import CommandResult, Job, JobState, SchedulerError, Snapshot
from clusterhub.schedulers.surveying import Accounting, Surveying

log = logging.getLogger("clusterhub.watch")

PER_MINUTE = 20
"""Queries a minute that a scheduler is asked to bear, whatever the number of sessions."""
ACCOUNTING_PER_MINUTE = 10
"""The same for accounting, which has a server of its own: no ending waits for looks, and no look for it."""
BURST = 10
RESERVE = 4
"""Queries that are kept for those who ask for a fresh look, such as after a submit."""
WITHOUT_RESERVE = 3.5
"""Seconds after which, while sessions start, the next look is made although the reserve was spent: to lay it
by again takes nine, and a job that died is to be explained within five."""
WHILE_ALL_WAIT = 5.0
"""The same while the jobs of all of them wait in the queue: one that starts says so itself."""
GATHERING = 1.0
"""Seconds between two looks for those who ask for one, once the reserve is touched: more of them share one,
and it lasts until a small crowd has started. Spent at once, it would leave each of them to wait for the next
look for three seconds, more than once. Where one session starts, there is nobody to wait for."""
ROUNDING = 1e-6
"""Seconds that are none: a sum of times can come out a moment too late, again and again."""
QUIET = 4
"""With nothing in the queue the looks are this many times rarer."""
JITTER = 0.1
"""By this share an interval is longer or shorter at random, so that several hubs do not ask in step."""
ACCOUNT_AGAIN = 15.0
ACCOUNT_AGAIN_AT_MOST = 30.0
"""Seconds until accounting is asked again, doubled with each failure up to that."""
ACCOUNT_PATIENCE = 2.0
"""Seconds for which the next look waits for accounting, which answers in its own time on many sites."""
ASKED_AT_ONCE = 500
"""Jobs in one query of accounting: a command line has its limits."""


class Run(Protocol):
    """How commands are run; see `clusterhub.schedulers.command.run`."""

    def __call__(
        self, argv: tuple[str, ...], *, environment: Mapping[str, str], timeout: float
    ) -> Awaitable[CommandResult]: ...


class Watch:
    """Keeps the snapshot of one cluster.

    Parameters: ``interval`` and ``starting_interval`` are seconds between looks, the latter while somebody
    holds `urgent`; ``commands`` is the directory of the scheduler's programs; ``timeout`` is how many seconds
    a query may take before it is cut off. The others are for tests.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        interval: float = 30.0,
        starting_interval: float = 2.0,
        commands: str | os.PathLike[str] | None = None,
        timeout: float = command.DEFAULT_TIMEOUT,
        per_minute: float = PER_MINUTE,
        run: Run = command.run,
        clock: Clock | None = None,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.scheduler = scheduler
        self.interval = interval
        self.starting_interval = starting_interval
        self.timeout = timeout
        self._commands = commands
        self._run = run
        self._clock: Clock = clock or SystemClock()
        self._jitter = jitter
        self._budget = Budget(per_minute, BURST, self._clock.monotonic())
        self._accounting_budget = Budget(ACCOUNTING_PER_MINUTE, BURST, self._clock.monotonic())
        self._ledger = Ledger()
        self._programs: Mapping[str, tuple[str, ...]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._urgent = 0
        self._wanted: list[asyncio.Future[None]] = []
        self._nudge = asyncio.Event()
        self._swapped = asyncio.Event()
        self._changes = Changes()
        self._last_look: float | None = None
        self._last_good_look = -math.inf
        self._spread = 1.0
        self._account_at = 0.0
        self._account_pause = ACCOUNT_AGAIN
        self._counting = Counting(scheduler, self._ask, self._budget, self._clock.monotonic)
        self.surveying = Surveying(
            scheduler, self._ask, self._budget, self._clock.monotonic, self._clock.time
        )
        """What the cluster has; asked only where somebody wants to know."""
        self.accounts = Accounting(
            scheduler, self._ask, self._accounting_budget, self._clock.monotonic, self._clock.time
        )
        """Who may have it; likewise."""
        self._count_task: asyncio.Task[None] | None = None
        self._accounting: asyncio.Task[None] | None = None
        self._asked: tuple[str, ...] = ()
        """The jobs that accounting is being asked about."""
        self._began = math.inf
        """When the look that is under way began; infinite while there is none."""

    @property
    def snapshot(self) -> Snapshot:
        """The queue as it was last seen. Replaced as a whole, never changed."""
        return self._ledger.snapshot

    @property
    def good_since(self) -> float:
        """When the look of the snapshot began, in seconds of the watch's clock; -inf while looks fail."""
        return self._last_good_look if self.snapshot.error is None else -math.inf

    def ending(self, job_id: str) -> Job | None:
        """How the job ended; None while that is not certain."""
        return self._ledger.ending(job_id)

    def is_over(self, job_id: str) -> bool:
        """True once it is certain that the job will not run any more.

        A job that the watch has never heard of is looked for from now on, so that this can become true.
        """
        self.expect(job_id)
        return self._ledger.is_over(job_id)

    def is_settled(self, job_id: str) -> bool:
        """True once nothing more is to be learned of how the job ended, by whom, with how much memory."""
        return self._ledger.is_settled(job_id)

    def expect(self, job_id: str) -> None:
        """Look for this job, also if it never shows in the queue, until it is known to be there or to be
        over."""
        self._ledger = ledger.expect(self._ledger, job_id, self._clock.monotonic())

    def ensure_running(self) -> None:
        """Start the watch, or start it anew where it has stopped or hangs. Needs a running loop."""
        now = self._clock.monotonic()
        if self._task is not None and now - self._began > self._longest_look:
            log.error("A look at the queue hangs since %.0f s; the watch is started anew", now - self._began)
            self._task.cancel()
            self._task = None
        if self._task is None or self._task.done():
            self._began = math.inf
            self._task = asyncio.get_running_loop().create_task(
                self._look_for_ever(), name="clusterhub-watch"
            )

    async def close(self) -> None:
        """Stop looking. Whoever waits for a look gets the last snapshot."""
        await self.surveying.close()
        await self.accounts.close()
        for task in (self._task, self._count_task, self._accounting):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._accounting = None
        self._serve(self._wanted)

    async def refresh(self) -> Snapshot:
        """The snapshot after a look that began after this call; many callers share one look.

        Returns the last good snapshot with an error in it where the look failed.
        """
        self.ensure_running()
        served = asyncio.get_running_loop().create_future()
        self._wanted.append(served)
        self._nudge.set()
        await served
        return self.snapshot

    @contextlib.contextmanager
    def urgent(self) -> Iterator[None]:
        """While anybody holds this, looks follow each other at the starting interval."""
        self._urgent += 1
        self._nudge.set()
        try:
            yield
        finally:
            self._urgent -= 1

    async def changed(self, after: Snapshot, timeout: float | None = None) -> Snapshot:
        """The first snapshot that is not ``after``; after so many seconds the same one."""
        self.ensure_running()
        if self.snapshot is after:
            await self._wait(self._swapped, timeout)
        return self.snapshot

    def job_changed(self, job_id: str) -> asyncio.Future[None]:
        """Done when a look shows the job otherwise than it is now, or that it is over; to be cancelled by
        whoever does not wait any more."""
        self.expect(job_id)
        return self._changes.of(job_id)

    async def until_over(self, job_id: str, timeout: float | None = None) -> Job | None:
        """The job's ending; None where it is not over after so many seconds."""
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        while not self.is_over(job_id):
            remaining = None if deadline is None else deadline - self._clock.monotonic()
            if remaining is not None and remaining <= 0:
                return None
            await self.changed(self.snapshot, remaining)
        return self.ending(job_id)

    async def _look_for_ever(self) -> None:
        while True:
            await self._pause()
            served, self._wanted = self._wanted, []
            self._began = self._clock.monotonic()
            try:
                await self._look()
                await self._look_into_accounting()
                self._count_if_due()
            except Exception as error:
                # A mistake of ours must not leave the hub blind: say so, and look again.
                log.exception("A look at the queue failed")
                self._swap(ledger.look_failed(self._ledger, _as_scheduler_error(error)))
            finally:
                self._began = math.inf
                self._serve(served)

    @property
    def _longest_look(self) -> float:
        """Seconds that a look takes at the most, being cut off in time, and much more than that."""
        return 3 * self.timeout

    async def _pause(self) -> None:
        """Return when the next look is due: at once for whoever asked for one, as far as the budget goes."""
        while True:
            self._nudge.clear()
            now = self._clock.monotonic()
            delay = self._budget.delay(now, leave=0 if self._wanted else RESERVE)
            gathers = len(self._wanted) > 1 or self._urgent != 1
            if self._wanted and gathers and self._last_look is not None and self._budget.left(now) < RESERVE:
                delay = max(delay, self._last_look + GATHERING - now)
            if not self._wanted and self._last_look is not None:
                if self._urgent:
                    due = self._last_look + self._longest_pause() - now
                    delay = min(delay, max(due, self._budget.delay(now)))
                delay = max(delay, self._last_look + self._pace() * self._spread - now)
            if delay <= ROUNDING:
                return
            await self._wait(self._nudge, delay)

    def _longest_pause(self) -> float:
        """Seconds between two looks while sessions start, whatever the reserve."""
        waiting = sum(job.state is JobState.QUEUED for job in self.snapshot.jobs.values())
        return WHILE_ALL_WAIT if waiting >= self._urgent else WITHOUT_RESERVE

    def _pace(self) -> float:
        if self._urgent:
            return self.starting_interval
        jobs = self.snapshot.jobs.values()
        if self._ledger.missing or any(job.state is not JobState.ENDED for job in jobs):
            return self.interval
        return self.interval * QUIET

    async def _look(self) -> None:
        began = self._last_look = self._clock.monotonic()
        self._spread = 1 + self._jitter(-JITTER, JITTER)
        self._budget.spend(began)
        try:
            jobs = self.scheduler.parse_queue(await self._ask(self.scheduler.queue()))
        except ClusterhubError as error:
            log.warning("The queue cannot be seen: %s", error)
            self._swap(ledger.look_failed(self._ledger, _as_scheduler_error(error)))
            return
        if self.snapshot.error is not None:
            log.info("The queue can be seen again")
        now = self._clock.time()
        self._swap(ledger.looked(self._ledger, jobs, began=began, now=now, asked=self._asked))
        self._last_good_look = began

    async def _look_into_accounting(self) -> None:
        """Ask accounting, unless an earlier question is still open; its answer is waited for a little."""
        if self._accounting is None:
            self._accounting = asyncio.create_task(self._account())
            patience = asyncio.ensure_future(self._clock.sleep(ACCOUNT_PATIENCE))
            try:
                await asyncio.wait([self._accounting, patience], return_when=asyncio.FIRST_COMPLETED)
            finally:
                patience.cancel()
        if self._accounting.done():
            answered, self._accounting = self._accounting, None
            answered.result()

    async def _account(self) -> None:
        """Ask accounting about the jobs that left the queue, all at once."""
        now = self._clock.monotonic()
        asked = self._ledger.to_account()[:ASKED_AT_ONCE]
        argv = self.scheduler.accounting(asked) if asked else None
        if argv is None or now < self._account_at or self._accounting_budget.delay(now) > 0:
            return
        self._accounting_budget.spend(now)
        self._asked = asked
        try:
            answer = self.scheduler.parse_accounting(await self._ask(argv))
            self._swap(ledger.accounted(self._ledger, asked, answer, now=self._clock.time()))
        except Exception as error:
            # Also a mistake of ours: the queue itself is seen, and sessions can start.
            ours = not isinstance(error, ClusterhubError)
            log.warning("Accounting does not answer: %s", error, exc_info=ours)
            self._account_at = self._clock.monotonic() + self._account_pause
            self._account_pause = min(2 * self._account_pause, ACCOUNT_AGAIN_AT_MOST)
            return
        finally:
            self._asked = ()
        self._account_pause = ACCOUNT_AGAIN
        if self._ledger.to_account():
            self._account_at = self._clock.monotonic() + ACCOUNT_AGAIN

    def _count_if_due(self) -> None:
        """While somebody waits, count how many are ahead of them; looks go on meanwhile."""
        counts = self._count_task is not None and not self._count_task.done()
        if not self._urgent or counts or self.snapshot.error is not None:
            return
        waiting = frozenset(
            job_id for job_id, job in self.snapshot.jobs.items() if job.state is JobState.QUEUED
        )
        if self._counting.is_due(waiting):
            self._count_task = asyncio.create_task(self._count(waiting), name="clusterhub-count")

    async def _count(self, waiting: frozenset[str]) -> None:
        try:
            positions = await self._counting.count(waiting)
        except Exception:
            log.exception("The jobs that wait could not be counted")
            return
        self._swap(ledger.counted(self._ledger, positions))

    async def _ask(self, argv: tuple[str, ...]) -> CommandResult:
        if self._programs is None:
            self._programs = self.scheduler.programs(self._commands)
        environment = {**self.scheduler.environment, **self.scheduler.look_environment}
        resolved = (*self._programs[argv[0]], *argv[1:])
        return await self._run(resolved, environment=environment, timeout=self.timeout)

    def _swap(self, new: Ledger) -> None:
        before, self._ledger = self._ledger, new
        self._changes.tell(before, new)
        swapped, self._swapped = self._swapped, asyncio.Event()
        swapped.set()

    @staticmethod
    def _serve(waiting: list[asyncio.Future[None]]) -> None:
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def _wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when the event is set, or after so many seconds of the watch's clock."""
        if seconds is None:
            await event.wait()
            return
        tasks = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


def _as_scheduler_error(error: Exception) -> SchedulerError:
    if isinstance(error, SchedulerError):
        return error
    if isinstance(error, ClusterhubError):
        told = error.explanation
        return SchedulerError(told.what, where=told.where, next=told.next, log=told.log)
    return SchedulerError(
        f"The queue cannot be seen: {error!r}",
        where="the hub's watch",
        next="Tell the operator; the hub's log says more. Sessions go on.",
    )
