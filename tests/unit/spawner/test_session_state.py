"""How a session is now, told from the snapshot."""

from __future__ import annotations

from typing import Any

import pytest

from clusterhub.schedulers.model import Job, JobState, Position, SchedulerError, Snapshot
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.spawner.session_state import STATES, SessionState, session_state

NOW = 1_900_000_000.0
RUNNING = Job(
    "17",
    JobState.RUNNING,
    nodes=("n1",),
    submitted_at=NOW - 90,
    started_at=NOW - 60,
    ends_at=NOW + 3540,
    restarts=1,
)


def state(job: Job | None, *, serves: bool = False, job_id: str = "17", **snapshot: Any) -> SessionState:
    jobs = {} if job is None else {job.id: job}
    return session_state(
        cluster="main",
        profile="interactive",
        job_id=job_id,
        serves=serves,
        scheduler=SlurmScheduler(),
        snapshot=Snapshot(NOW - 5, jobs, **snapshot),
        now=NOW,
    )


@pytest.mark.parametrize(
    ("job", "serves", "told"),
    [
        (RUNNING, True, "running"),
        (RUNNING, False, "starting"),
        (Job("17", JobState.STARTING), False, "starting"),
        (Job("17", JobState.QUEUED, reason="Resources"), False, "queued"),
        (Job("17", JobState.SUSPENDED), True, "suspended"),
        (Job("17", JobState.ENDING), True, "ending"),
        (Job("17", JobState.ENDED), True, "ending"),
        (Job("17", JobState.UNKNOWN), True, "unknown"),
        (None, True, "unknown"),
    ],
)
def test_each_state_has_a_word(job: Job | None, serves: bool, told: str) -> None:
    answer = state(job, serves=serves).as_json()
    assert answer["state"] == told
    assert answer["state"] in STATES
    assert "17" in answer["message"]


def test_a_start_without_a_job_yet_is_submitting() -> None:
    answer = state(None, job_id="").as_json()
    assert (answer["state"], answer["job"], answer["message"]) == ("submitting", None, "Submitting to main.")


def test_a_running_session_tells_where_it_is_and_how_long_it_has() -> None:
    answer = state(RUNNING, serves=True).as_json()
    assert (answer["nodes"], answer["remaining_s"], answer["restarts"]) == (["n1"], 3540, 1)
    assert (answer["started_at"], answer["ends_at"]) == (NOW - 60, NOW + 3540)
    assert answer["reason"] == answer["why"] == ""


def test_a_queued_session_tells_why_and_how_many_are_ahead() -> None:
    job = Job("17", JobState.QUEUED, reason="Priority", expected_start=NOW + 60, submitted_at=NOW - 60)
    answer = state(job, positions={"17": (Position(3, "batch"),)}).as_json()
    assert (answer["reason"], answer["why"]) == ("Priority", "other jobs are ahead of it in the queue")
    assert answer["positions"] == [{"partition": "batch", "ahead": 3, "at_least": False}]
    assert answer["expected_start"] == NOW + 60
    assert answer["remaining_s"] is None
    assert "3 jobs are ahead of it" in answer["message"]


def test_the_clock_of_a_suspended_session_stands_still() -> None:
    assert state(Job("17", JobState.SUSPENDED, ends_at=NOW + 60), serves=True).remaining is None


def test_a_scheduler_that_cannot_be_seen_is_told_with_what_was_seen_last() -> None:
    error = SchedulerError("Slurm did not answer: timed out", where="squeue", next="Wait.")
    answer = state(RUNNING, serves=True, error=error).as_json()
    assert answer["state"] == "running"
    assert answer["seen_at"] == NOW - 5
    assert answer["error"] == {"what": "Slurm did not answer: timed out", "where": "squeue", "next": "Wait."}
    assert state(RUNNING, serves=True).as_json()["error"] is None
