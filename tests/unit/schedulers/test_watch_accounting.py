"""What the watch asks accounting of jobs that left the queue, and what holds while that does not answer."""

from __future__ import annotations

import asyncio

import pytest

from clusterhub.schedulers.model import Job, JobState, Outcome, SchedulerError
from clusterhub.schedulers.watch import Watch

from .clocks import FakeClock
from .table import RUNNING, Table


async def test_jobs_that_left_are_asked_of_accounting_in_one_query(watch: Watch, table: Table) -> None:
    table.jobs = {"7": RUNNING, "8": Job("8", JobState.RUNNING)}
    await watch.refresh()
    table.jobs = {}
    table.accounts = {
        number: Job(number, JobState.ENDED, outcome=Outcome.TIME_LIMIT) for number in ("7", "8")
    }
    await watch.refresh()
    assert [argv for argv in table.asked if argv[0] == "/bin/account"] == [("/bin/account", "7", "8")]
    ending = watch.ending("7")
    assert ending is not None
    assert ending.outcome is Outcome.TIME_LIMIT
    assert watch.is_over("8")


async def test_accounting_that_is_away_is_asked_twice_a_minute_at_the_most(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    table.accounts = None
    table.jobs = {"7": Job("7", JobState.ENDED, outcome=Outcome.FAILED), "8": RUNNING}
    await clock.advance(3600)
    asked = sum(argv[0] == "/bin/account" for argv in table.asked)
    assert 110 <= asked <= 125
    assert watch.is_over("7")


@pytest.mark.parametrize("error", [SchedulerError, RuntimeError])
async def test_accounting_may_fail_for_half_a_day_and_the_queue_is_seen_all_the_same(
    watch: Watch, table: Table, clock: FakeClock, error: type[Exception]
) -> None:
    """A pause that is doubled a thousand times is no number any more; what is raised then hides the queue."""
    table.accounts, table.accounting_error = None, error
    table.jobs = {"7": Job("7", JobState.ENDED, outcome=Outcome.FAILED), "8": RUNNING}
    for _ in range(12):
        await clock.advance(3600)
        assert watch.snapshot.error is None
    table.accounts = {"7": Job("7", JobState.ENDED, outcome=Outcome.TIME_LIMIT)}
    await clock.advance(60)
    ending = watch.ending("7")
    assert ending is not None
    assert ending.outcome is Outcome.TIME_LIMIT


async def test_accounting_that_does_not_answer_keeps_no_look_waiting(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    table.hold_accounting = asyncio.Event()
    table.jobs = {"8": RUNNING}
    table.accounts = {"7": Job("7", JobState.ENDED, outcome=Outcome.TIME_LIMIT)}
    before = table.looks()
    await clock.advance(100)
    assert table.looks() >= before + 3
    assert sum(argv[0] == "/bin/account" for argv in table.asked) == 1
    assert watch.snapshot.error is None
    table.hold_accounting.set()
    await clock.settle()
    ending = watch.ending("7")
    assert ending is not None
    assert ending.outcome is Outcome.TIME_LIMIT


async def test_no_job_is_given_up_while_accounting_is_being_asked_about_it(
    watch: Watch, table: Table, clock: FakeClock
) -> None:
    table.hold_accounting = asyncio.Event()
    table.jobs = {}
    table.accounts = {"7": RUNNING}
    await clock.advance(100)
    assert not watch.is_over("7")
    table.hold_accounting.set()
    await clock.advance(100)
    assert not watch.is_over("7"), "accounting says that it lives"


async def test_a_job_never_heard_of_becomes_over_in_time(watch: Watch, clock: FakeClock) -> None:
    assert not watch.is_over("99")
    ended = asyncio.create_task(watch.until_over("99"))
    await clock.advance(61)
    job = await ended
    assert job is not None
    assert (job.id, job.outcome) == ("99", Outcome.UNKNOWN)
