"""The history of a start tells each thing once, however often it changes, and its page has all of it again.

Without `Told.since` a page that is loaded again says that everything happened just now.
"""

from __future__ import annotations

import asyncio

from clusterhub.schedulers.model import Job, JobState, Position, SchedulerError, Snapshot
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.spawner.progress import AWAY, History, Progress, progress_of
from clusterhub.spawner.waiting import Waiting

SUBMITTING = Progress(5, Waiting("Submitting."), "submitting")
WAITS = [Progress(20, Waiting(f"{number} jobs are ahead."), "Priority") for number in range(5)]
RUNS = Progress(50, Waiting("It runs."), "runs")


async def told(history: History, count: int) -> list[Progress]:
    """The first that somebody hears who looks now."""
    heard = []
    async for each in history.follow():
        heard.append(each.progress)
        if len(heard) == count:
            break
    return heard


async def test_who_looks_later_hears_of_each_thing_once_as_it_is_now() -> None:
    history = History()
    for each in (SUBMITTING, SUBMITTING, *WAITS, RUNS):
        history.note(each)
    assert await told(history, 3) == [SUBMITTING, WAITS[-1], RUNS]


async def test_who_looks_on_hears_of_every_change_and_nothing_twice() -> None:
    history = History()
    history.note(SUBMITTING)
    looking = asyncio.create_task(told(history, 4))
    await asyncio.sleep(0)
    for each in (WAITS[0], WAITS[0], WAITS[1], RUNS):
        history.note(each)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert await asyncio.wait_for(looking, 10) == [SUBMITTING, WAITS[0], WAITS[1], RUNS]


async def test_the_same_reason_as_long_ago_is_told_anew() -> None:
    history = History()
    for each in (WAITS[0], RUNS, WAITS[1]):
        history.note(each)
    assert await told(history, 3) == [WAITS[0], RUNS, WAITS[1]]


def test_a_page_that_is_loaded_again_says_when_each_thing_was_so_first() -> None:
    now = 1000.0
    history = History(lambda: now)
    history.note(SUBMITTING)
    now += 60
    history.note(WAITS[0])
    now += 600
    history.note(WAITS[1])
    history.submitted_at = 1010.0
    first, second = history.events()
    assert (first["clusterhub_since"], second["clusterhub_since"]) == (1000.0, 1060.0)
    assert second["message"] == second["clusterhub_words"] == "1 jobs are ahead."
    assert second["clusterhub_elapsed"] == 650.0


def waiting_page(**told: object) -> dict[str, object]:
    """The last event for a job that waits, with this in its record."""
    job = Job("17", JobState.QUEUED, reason="Priority", expected_start=1600.0)
    snapshot = Snapshot(1000.0, {"17": job}, positions={"17": (Position(2, "gpu"),)})
    history = History(lambda: 1000.0)
    usual: dict[str, object] = {"earlier_job": "", "looking": False, "boarded": False, "log": ()}
    history.note(
        progress_of(
            **{"snapshot": snapshot, "job_id": "17", "now": 1000.0, **usual, **told},  # type: ignore[arg-type]
            scheduler=SlurmScheduler(),
            cluster="main",
            starts_ahead=0,
        )
    )
    return history.events()[-1]


def test_position_and_expected_start_are_told_apart_for_the_page_and_together_for_programs() -> None:
    event = waiting_page()
    assert event["clusterhub_words"] == "Job 17 waits: other jobs are ahead of it in the queue (Priority)."
    assert event["clusterhub_position"] == "2 jobs are ahead of it in partition gpu."
    assert (event["clusterhub_expected"], event["clusterhub_expected_in"]) == (1600.0, 600.0)
    assert "2 jobs are ahead of it" in str(event["message"])
    assert "Expected to start at" in str(event["message"])


def test_what_is_read_out_does_not_change_with_the_position() -> None:
    one = waiting_page()
    job = Job("17", JobState.QUEUED, reason="Priority")
    other = waiting_page(snapshot=Snapshot(1000.0, {"17": job}))
    assert one["clusterhub_words"] == other["clusterhub_words"]
    assert one["clusterhub_topic"] == other["clusterhub_topic"]
    assert (other["clusterhub_position"], other["clusterhub_expected"]) == ("", None)


def test_a_scheduler_that_is_away_changes_nothing_of_what_is_known() -> None:
    job = Job("17", JobState.RUNNING, nodes=("n1",))
    event = waiting_page(
        snapshot=Snapshot(900.0, {"17": job}, error=SchedulerError("No.")),
        log=("one line",),
        earlier_job="Joined.",
    )
    assert event["clusterhub_words"] == f"{AWAY} Job 17 runs on n1; Jupyter is starting. Joined."
    assert event["clusterhub_log"] == ["one line"]
