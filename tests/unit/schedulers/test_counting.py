"""The jobs that wait are counted for whoever waits, rarely, off the loop, and not where they are private."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping

import pytest

from clusterhub.schedulers.budget import Budget
from clusterhub.schedulers.counting import (
    FOR_NEWCOMERS,
    INTERVAL,
    INTERVAL_AT_MOST,
    PRIVACY_AGAIN,
    Counting,
)
from clusterhub.schedulers.model import CommandResult, Job, JobState, Position, SchedulerError
from clusterhub.schedulers.watch import BURST, PER_MINUTE, Watch

from .clocks import FakeClock
from .table import Table

WAITING = Job("7", JobState.QUEUED)
PLACE = (Position(3, "batch"),)


class Line(Table):
    """A scheduler that knows who waits; its answers lie on a table."""

    private = False
    line_error: SchedulerError | None = None

    def __init__(self) -> None:
        super().__init__()
        self.jobs = {"7": WAITING}
        self.threads: set[int] = set()

    def programs(self, commands: object = None) -> Mapping[str, tuple[str, ...]]:
        return {**super().programs(commands), "line": ("/bin/line",), "privacy": ("/bin/privacy",)}

    def positions(self) -> tuple[str, ...]:
        return ("line",)

    def parse_positions(self, result: CommandResult) -> Mapping[str, tuple[Position, ...]]:  # noqa: ARG002 - it lies on the table
        self.threads.add(threading.get_ident())
        if self.line_error is not None:
            raise self.line_error
        return {"7": PLACE, "99": (Position(4, "batch"),)}

    def privacy(self) -> tuple[str, ...]:
        return ("privacy",)

    def parse_privacy(self, result: CommandResult) -> bool:  # noqa: ARG002 - it lies on the table
        return self.private

    async def run_at_once(self, argv: tuple[str, ...]) -> CommandResult:
        return await self.run(argv, environment={}, timeout=0)

    def times(self, name: str) -> int:
        return sum(argv == (f"/bin/{name}",) for argv in self.asked)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
async def watch(line: Line, clock: FakeClock) -> AsyncIterator[Watch]:
    made = Watch(line, starting_interval=2, run=line.run, clock=clock, jitter=lambda *_: 0.0)
    made.ensure_running()
    await clock.settle()
    yield made
    await made.close()


async def counted(watch: Watch, clock: FakeClock, seconds: float) -> None:
    """Lets time pass, and the thread that counts end."""
    for _ in range(round(seconds)):
        await clock.advance(1)
        if watch._count_task is not None:
            await watch._count_task


async def test_whoever_waits_knows_how_many_are_ahead(watch: Watch, line: Line, clock: FakeClock) -> None:
    with watch.urgent():
        await counted(watch, clock, 5)
        assert watch.snapshot.positions == {"7": PLACE}
        assert watch.snapshot.jobs == {"7": WAITING}
        await counted(watch, clock, 5)
        assert watch.snapshot.positions == {"7": PLACE}, "the next look keeps them"
    assert line.threads
    assert threading.get_ident() not in line.threads


async def test_nobody_is_counted_while_nobody_waits(watch: Watch, line: Line, clock: FakeClock) -> None:
    await counted(watch, clock, 300)
    line.jobs = {"7": Job("7", JobState.RUNNING)}
    with watch.urgent():
        await counted(watch, clock, 300)
    assert line.times("line") == line.times("privacy") == 0


async def test_they_are_counted_more_rarely_than_looked_at_and_within_the_cap(
    watch: Watch, line: Line, clock: FakeClock
) -> None:
    with watch.urgent():
        await counted(watch, clock, 60)
        before, counts = len(line.asked), line.times("line")
        await counted(watch, clock, 600)
    assert 15 <= line.times("line") - counts <= 600 / INTERVAL + 1
    assert len(line.asked) - before <= 10 * PER_MINUTE + 1


async def test_who_comes_later_does_not_wait_for_the_next_count(
    watch: Watch, line: Line, clock: FakeClock
) -> None:
    with watch.urgent():
        await counted(watch, clock, 2)
        line.jobs = {**line.jobs, "99": Job("99", JobState.QUEUED)}
        await counted(watch, clock, FOR_NEWCOMERS + 5)
        assert set(watch.snapshot.positions) == {"7", "99"}
        assert line.times("line") == 2


async def test_a_site_whose_jobs_are_private_is_told_nothing_of_others(
    watch: Watch, line: Line, clock: FakeClock
) -> None:
    line.private = True
    with watch.urgent():
        await counted(watch, clock, 120)
        assert line.times("line") == 0
        assert line.times("privacy") == 1
        assert watch.snapshot.positions == {}
        line.private = False
        await counted(watch, clock, PRIVACY_AGAIN)
        assert watch.snapshot.positions == {"7": PLACE}


async def test_what_cannot_be_counted_is_not_told_and_asked_for_ever_more_rarely(
    watch: Watch, line: Line, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with watch.urgent():
        await counted(watch, clock, 5)
        line.line_error = SchedulerError("garbage")
        before = line.times("line")
        await counted(watch, clock, 1800)
        assert watch.snapshot.positions == {}
        assert watch.snapshot.error is None, "the queue itself is seen"
        assert 4 <= line.times("line") - before <= 8
        assert "cannot be told: Garbage" in caplog.text
        line.line_error = None
        await counted(watch, clock, 700)
        assert watch.snapshot.positions == {"7": PLACE}


async def test_looks_go_on_while_a_count_takes_its_time(watch: Watch, line: Line, clock: FakeClock) -> None:
    slow = asyncio.Event()

    async def run(argv: tuple[str, ...], *, environment: Mapping[str, str], timeout: float) -> CommandResult:
        if argv == ("/bin/line",):
            await slow.wait()
        return await line.run(argv, environment=environment, timeout=timeout)

    watch._run = run
    with watch.urgent():
        await clock.advance(5)
        before = line.looks()
        for _ in range(20):
            await clock.advance(1)
        assert line.looks() >= before + 5
        assert watch.snapshot.positions == {}
        slow.set()
        await counted(watch, clock, 5)
        assert watch.snapshot.positions == {"7": PLACE}


async def test_what_cannot_be_counted_for_weeks_is_tried_on(line: Line) -> None:
    """A pause that is doubled a thousand times is no number any more."""
    now = 0.0
    counting = Counting(line, line.run_at_once, Budget(PER_MINUTE, BURST, now), lambda: now)
    line.line_error = SchedulerError("garbage")
    waiting = frozenset({"7"})
    for _ in range(1100):
        now += INTERVAL_AT_MOST
        assert counting.is_due(waiting)
        assert await counting.count(waiting) == {}
    line.line_error = None
    now += INTERVAL_AT_MOST
    assert counting.is_due(waiting)
    assert (await counting.count(waiting))["7"] == PLACE
