"""Whoever waits for a job is woken by news of that job alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from clusterhub.schedulers import ledger
from clusterhub.schedulers.changes import Changes
from clusterhub.schedulers.ledger import Ledger
from clusterhub.schedulers.model import Job, JobState


def seen(before: Ledger, at: float, **states: JobState) -> Ledger:
    jobs: Mapping[str, Job] = {job_id[1:]: Job(job_id[1:], state) for job_id, state in states.items()}
    return ledger.looked(before, jobs, began=at, now=at)


async def test_news_wake_those_who_wait_for_that_job() -> None:
    changes = Changes()
    first = seen(Ledger(), 1, j7=JobState.RUNNING, j8=JobState.RUNNING)
    seven, eight = changes.of("7"), changes.of("8")
    same = seen(first, 2, j7=JobState.RUNNING, j8=JobState.RUNNING)
    changes.tell(first, same)
    assert not seven.done()
    suspended = seen(same, 3, j7=JobState.SUSPENDED, j8=JobState.RUNNING)
    changes.tell(same, suspended)
    assert seven.done()
    assert not eight.done()


async def test_a_job_that_is_given_up_for_gone_is_news() -> None:
    changes = Changes()
    before = seen(Ledger(), 1, j7=JobState.RUNNING)
    absent = seen(before, 10)
    changes.tell(before, absent)
    waiting = changes.of("7")
    gone = seen(absent, 20)
    assert gone.is_over("7")
    changes.tell(absent, gone)
    assert waiting.done()


async def test_whoever_gave_up_is_forgotten_and_keeps_nobody_else_from_the_news() -> None:
    changes = Changes()
    before = seen(Ledger(), 1, j7=JobState.RUNNING)
    given_up, waiting = changes.of("7"), changes.of("7")
    given_up.cancel()
    changes.tell(before, seen(before, 2, j7=JobState.ENDED))
    await asyncio.wait_for(waiting, 1)
    changes.of("8").cancel()
    changes.tell(before, before)
    assert changes._waiting == {}
