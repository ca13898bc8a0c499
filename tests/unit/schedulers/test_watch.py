"""When the watch looks at the queue, what it makes of what it sees, and whom it tells."""

from __future__ import annotations

import asyncio

import pytest

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.model import Job, JobState, Outcome, SchedulerError
from clusterhub.schedulers.watch import (
    ACCOUNTING_PER_MINUTE,
    BURST,
    GATHERING,
    JITTER,
    PER_MINUTE,
    QUIET,
    RESERVE,
    WHILE_ALL_WAIT,
    WITHOUT_RESERVE,
    Watch,
)

from .clocks import FakeClock
from .table import RUNNING, Table


async def insist(watch: Watch) -> None:
    """Wants a fresh look, again and again."""
    while True:
        await watch.refresh()


async def test_the_first_look_is_made_at_once_and_the_next_after_the_interval(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    assert watch.snapshot.jobs == {"7": RUNNING}
    assert table.looks() == 1
    await clock.advance(29)
    assert table.looks() == 1
    await clock.advance(1)
    assert table.looks() == 2


@pytest.mark.parametrize("share", [-JITTER, JITTER])
async def test_an_interval_is_a_little_longer_or_shorter_by_chance(
    table: Table, clock: FakeClock, share: float
) -> None:
    watch = Watch(table, interval=30, run=table.run, clock=clock, jitter=lambda *_: share)
    watch.ensure_running()
    await clock.advance(30 * (1 + share) - 0.1)
    assert table.looks() == 1
    await clock.advance(0.2)
    assert table.looks() == 2
    await watch.close()


async def test_a_query_has_the_schedulers_program_and_environment(watch: Watch, table: Table) -> None:
    assert watch.snapshot.error is None
    assert table.asked[0] == ("/bin/look",)
    assert table.environments[0] == {"CONF": "x", "FORMAT": "%s"}


async def test_looks_are_rarer_while_nothing_is_in_the_queue(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    table.jobs = {}
    table.accounts = {"7": Job("7", JobState.ENDED, outcome=Outcome.COMPLETED)}
    await watch.refresh()
    before = table.looks()
    await clock.advance(30 * QUIET - 1)
    assert table.looks() == before
    await clock.advance(1)
    assert table.looks() == before + 1


async def test_looks_are_not_rarer_while_a_job_is_ending(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    table.jobs = {"7": Job("7", JobState.ENDING)}
    await watch.refresh()
    before = table.looks()
    await clock.advance(30)
    assert table.looks() == before + 1


async def test_looks_are_closer_together_while_somebody_starts(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    with watch.urgent():
        await clock.advance(4)
    assert table.looks() == 3
    await clock.advance(20)
    assert table.looks() == 3


async def test_a_look_that_hangs_in_spite_of_its_limit_is_noticed_and_looked_anew(
    watch: Watch, table: Table, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    table.hold = asyncio.Event()
    waiting = asyncio.create_task(watch.refresh())
    await clock.settle()
    looks = table.looks()
    await clock.advance(2 * watch.timeout)
    watch.ensure_running()
    await clock.settle()
    assert table.looks() == looks  # two limits may pass: one for the queue, one for accounting
    await clock.advance(2 * watch.timeout)
    table.hold = None
    watch.ensure_running()
    await waiting
    await watch.refresh()
    assert table.looks() > looks
    assert "hangs since" in caplog.text


async def test_many_who_want_a_fresh_look_share_one(watch: Watch, table: Table, clock: FakeClock) -> None:
    table.hold = asyncio.Event()
    first = asyncio.create_task(watch.refresh())
    await clock.settle()
    later = [asyncio.create_task(watch.refresh()) for _ in range(100)]
    await clock.settle()
    assert table.looks() == 2
    table.hold.set()
    await asyncio.gather(first, *later)
    # Those who asked while a look was under way share the one after it: theirs began before they asked.
    assert table.looks() == 3


async def test_the_cap_holds_however_often_a_fresh_look_is_wanted(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    insisting = [asyncio.create_task(insist(watch)) for _ in range(5)]
    with watch.urgent():
        for _ in range(60):  # step by step, so that the burst is spent and not saved up
            await clock.advance(1)
        before = table.looks()
        for _ in range(600):
            await clock.advance(1)
    for task in insisting:
        task.cancel()
    assert table.looks() - before <= 10 * PER_MINUTE + 1


async def test_the_cap_holds_with_every_fault_at_once(watch: Watch, table: Table, clock: FakeClock) -> None:
    insisting = [asyncio.create_task(insist(watch)) for _ in range(50)]
    faults: list[Exception | None] = [SchedulerError("garbage"), RuntimeError("a mistake"), None, None]
    looks, questions = [0], [0]
    with watch.urgent():
        for second in range(900):
            table.error = faults[second % 4]
            table.accounts = None if second % 3 else {}
            table.jobs = {str(second + each): RUNNING for each in range(20)}  # others leave, unexplained
            table.hold = asyncio.Event() if second % 90 == 0 else table.hold
            if second % 90 == 70 and table.hold is not None:  # longer than the watch itself bears
                table.hold.set()
                table.hold = None
            watch.ensure_running()
            watch.is_over(f"never heard of {second}")
            await clock.advance(1)
            looks.append(table.looks())
            questions.append(len(table.asked) - table.looks())
    for task in insisting:
        task.cancel()
    for counted, cap in ((looks, PER_MINUTE), (questions, ACCOUNTING_PER_MINUTE)):
        minutes = [late - early for early, late in zip(counted, counted[60:], strict=False)]
        assert max(minutes) <= cap + BURST
        assert counted[-1] - counted[60] <= 14 * cap + BURST
    assert watch.snapshot.taken_at is not None


async def test_a_small_crowd_shares_looks_and_none_of_it_waits_for_long(
    watch: Watch, clock: FakeClock
) -> None:
    """Without `GATHERING` the first of them spend the burst, and those after wait for three seconds each."""
    longest = 0.0

    async def start(number: int) -> None:
        nonlocal longest
        await clock.sleep(number / 10)
        for _ in range(3):  # when the job boards, and for something else
            wanted = clock.monotonic()
            await watch.refresh()
            longest = max(longest, clock.monotonic() - wanted)
            await clock.sleep(0.15)

    starts = [asyncio.create_task(start(number)) for number in range(12)]
    await clock.advance(30)
    assert all(task.done() for task in starts)
    assert longest <= GATHERING


async def test_where_one_session_starts_its_claim_does_not_wait_for_others(
    watch: Watch, clock: FakeClock
) -> None:
    """Without `gathers` the last look before the budget ends is a second late."""
    with watch.urgent():
        for _ in range(BURST - 1):
            looks = asyncio.create_task(watch.refresh())
            await clock.advance(0.01)
            assert looks.done()
    assert BURST - 1 > RESERVE


async def test_while_looks_take_all_that_they_may_an_ending_is_asked_about_at_once(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    """With one budget for both, what one look leaves the next takes."""

    insisting = asyncio.create_task(insist(watch))
    await clock.advance(60)
    table.jobs = {}
    table.accounts = {"7": Job("7", JobState.ENDED, outcome=Outcome.COMPLETED)}
    looks = table.looks()
    await clock.advance(60 / PER_MINUTE)
    assert table.looks() == looks + 1
    assert watch.is_over("7")
    insisting.cancel()


@pytest.mark.parametrize(
    ("state", "pause"), [(JobState.RUNNING, WITHOUT_RESERVE), (JobState.QUEUED, WHILE_ALL_WAIT)]
)
async def test_without_a_reserve_looks_are_rarer_while_all_wait_in_the_queue(
    watch: Watch, table: Table, clock: FakeClock, state: JobState, pause: float
) -> None:
    table.jobs = {"7": Job("7", state)}
    with watch.urgent():
        await clock.advance(120)
        for _ in range(RESERVE + 1):
            looks = asyncio.create_task(watch.refresh())
            await clock.advance(GATHERING)
            assert looks.done()
        before = table.looks()
        await clock.advance(3 * pause + 0.1)
        assert table.looks() == before + 3


async def test_of_when_the_last_good_look_is_none_after_a_failure(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    await watch.refresh()
    assert watch.good_since == clock.monotonic()
    table.error = SchedulerError("garbage")
    await clock.advance(1)
    await watch.refresh()
    assert watch.good_since < 0
    table.error = None
    await clock.advance(1)
    await watch.refresh()
    assert watch.good_since == clock.monotonic()


async def test_a_fresh_look_is_had_at_once_while_others_start(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    with watch.urgent():
        await clock.advance(300)
        before = table.looks()
        await watch.refresh()
        assert table.looks() == before + 1


async def test_an_error_keeps_the_jobs_and_the_watch_goes_on(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    good = watch.snapshot
    table.error = SchedulerError("garbage")
    table.jobs = {}
    await clock.advance(3000)
    assert watch.snapshot.jobs == good.jobs
    assert watch.snapshot.taken_at == good.taken_at
    assert watch.snapshot.error is table.error
    assert not watch.is_over("7")
    table.error, table.jobs = None, {"7": RUNNING}
    await clock.advance(30)
    assert watch.snapshot.error is None


@pytest.mark.parametrize("error", [RuntimeError("a mistake of ours"), ClusterhubError("squeue is missing")])
async def test_an_error_that_nobody_foresaw_does_not_stop_the_watch(
    watch: Watch, table: Table, clock: FakeClock, error: Exception
) -> None:
    table.error = error
    await clock.advance(30)
    assert isinstance(watch.snapshot.error, SchedulerError)
    table.error = None
    await clock.advance(30)
    assert watch.snapshot.error is None


async def test_waiting_for_a_change_returns_the_new_snapshot_or_the_same_one_after_the_timeout(
    watch: Watch, clock: FakeClock
) -> None:
    before = watch.snapshot
    impatient = asyncio.create_task(watch.changed(before, 5))
    patient = asyncio.create_task(watch.changed(before))
    await clock.advance(5)
    assert impatient.result() is before
    assert not patient.done()
    await clock.advance(25)
    assert patient.result() is watch.snapshot is not before


async def test_until_over_gives_up_after_its_timeout(watch: Watch, clock: FakeClock) -> None:
    waiting = asyncio.create_task(watch.until_over("7", 45))
    await clock.advance(46)
    assert await waiting is None


async def test_a_watch_that_was_stopped_can_be_started_again(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    await watch.close()
    before = table.looks()
    await clock.advance(100)
    assert table.looks() == before
    await watch.refresh()
    assert table.looks() == before + 1


async def test_whoever_waits_for_a_look_is_not_left_waiting_by_a_stop(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    table.hold = asyncio.Event()
    waiting = asyncio.create_task(watch.refresh())
    await clock.settle()
    await watch.close()
    assert (await waiting).jobs == {"7": RUNNING}
