"""Why a job waits is said in one line: reason, what to do, position, and when it may start."""

from __future__ import annotations

import time

import pytest

from clusterhub.schedulers.model import Job, JobState, Position, WaitReason
from clusterhub.site.schema import Site
from clusterhub.spawner.waiting import joined_message, waiting_message, when

NOW = time.mktime((2026, 11, 23, 9, 0, 0, 0, 0, -1))
QUEUED = Job("17", JobState.QUEUED)
TURN = WaitReason("Priority", "other jobs are ahead of it in the queue")
HELD = WaitReason("JobHeldUser", "it is held", "Release it.", competes=False)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (None, "Submitted; the scheduler does not list the job yet."),
        (QUEUED, "Job 17 is in the queue; the scheduler has not looked at it yet."),
        (Job("17", JobState.STARTING, nodes=("n1",)), "Job 17: n1 is being made ready."),
        (Job("17", JobState.RUNNING, nodes=("n1",)), "Job 17 runs on n1; Jupyter is starting."),
        (Job("17", JobState.SUSPENDED), "Job 17 is suspended by the scheduler and will go on later."),
    ],
)
def test_each_state_has_its_line(job: Job | None, said: str) -> None:
    assert waiting_message(job, now=NOW) == said


def test_a_start_that_found_an_earlier_job_elsewhere_says_so(site: Site) -> None:
    interactive, gpu = site.profile_named("interactive"), site.profile_named("gpu")
    job = Job("17", JobState.QUEUED, partition="interactive,batch")
    assert joined_message(job, interactive) == ""
    assert joined_message(Job("17", JobState.RUNNING, partition="batch"), interactive) == ""
    assert "an earlier job of this server, in partition interactive,batch" in joined_message(job, gpu)


def test_a_job_that_runs_again_is_told_with_what_is_lost() -> None:
    said = waiting_message(Job("17", JobState.QUEUED, restarts=1), now=NOW)
    assert "what kernels held in memory is lost" in said


def test_reason_position_and_start_are_said_together() -> None:
    job = Job("17", JobState.QUEUED, expected_start=NOW + 5 * 3600 + 1200)
    assert waiting_message(job, TURN, [Position(12, "interactive")], NOW) == (
        "Job 17 waits: other jobs are ahead of it in the queue (Priority)."
        " 12 jobs are ahead of it in partition interactive."
        " Expected to start at 14:20."
    )


@pytest.mark.parametrize("expected", [None, NOW - 60])
def test_a_start_that_nobody_knows_is_said_to_be_unknown(expected: float | None) -> None:
    job = Job("17", JobState.QUEUED, expected_start=expected)
    assert waiting_message(job, TURN, (), NOW) == (
        "Job 17 waits: other jobs are ahead of it in the queue (Priority)."
        " When it will start is not known yet."
    )


def test_what_the_person_can_do_is_said_and_no_position_while_it_means_nothing() -> None:
    assert waiting_message(QUEUED, HELD, [Position(3, "x")], NOW) == (
        "Job 17 waits: it is held (JobHeldUser). Release it."
    )


def test_a_reason_without_a_word_of_the_schedulers_has_none_in_brackets() -> None:
    said = waiting_message(QUEUED, WaitReason("", "the scheduler says: odd"), (), NOW)
    assert said.startswith("Job 17 waits: the scheduler says: odd. ")


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        ([Position(0, "gpu")], "No jobs are ahead of it in partition gpu."),
        ([Position(1, "gpu")], "One job is ahead of it in partition gpu."),
        ([Position(1234)], "1,234 jobs are ahead of it in the queue."),
        ([Position(1000, "gpu", at_least=True)], "More than 1,000 jobs are ahead of it in partition gpu."),
        (
            [Position(12, "batch"), Position(0, "gpu")],
            "No jobs are ahead of it in partition gpu, 12 in partition batch.",
        ),
        (
            [Position(number, f"p{number}") for number in (9, 3, 7, 5)],
            "3 jobs are ahead of it in partition p3, 5 in partition p5, 7 in partition p7.",
        ),
    ],
)
def test_positions_are_said_the_best_first(positions: list[Position], said: str) -> None:
    assert said in waiting_message(QUEUED, TURN, positions, NOW)


@pytest.mark.parametrize(
    ("hours", "said"), [(1, "at 10:00"), (24, "at 09:00 on Tuesday"), (24 * 8, "at 09:00 on 2026-12-01")]
)
def test_a_time_is_said_with_its_day_where_that_is_not_today(hours: int, said: str) -> None:
    assert when(NOW + hours * 3600, NOW) == said
