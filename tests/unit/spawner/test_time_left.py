"""A running session is told its time from the snapshot; while that does not show its job, to ask later."""

from dataclasses import replace

import pytest

from clusterhub.schedulers.model import Job, JobState, SchedulerError, Snapshot
from clusterhub.spawner.boarding import MOST_MEMORY, Later, Refused, Usage, parse_question
from clusterhub.spawner.time_left import by_snapshot, seconds_left

RUNNING = Job("17", JobState.RUNNING, ends_at=1600.0)
SEEN = Snapshot(taken_at=990.0, jobs={"17": RUNNING})


def test_seconds_and_the_age_of_what_is_known_are_told() -> None:
    assert by_snapshot(SEEN, "17", 1000.0) == {"remaining_s": 600.0, "seen_s_ago": 10.0}
    assert by_snapshot(SEEN, "17", 1700.0)["remaining_s"] == 0.0


def test_a_job_without_limit_has_no_seconds() -> None:
    endless = replace(SEEN, jobs={"17": replace(RUNNING, ends_at=None)})
    assert by_snapshot(endless, "17", 1000.0)["remaining_s"] is None
    assert seconds_left(None, 1000.0) is None


@pytest.mark.parametrize(
    "snapshot",
    [
        Snapshot(),
        replace(SEEN, jobs={}),
        replace(SEEN, jobs={"17": replace(RUNNING, state=JobState.ENDED)}),
        replace(SEEN, error=SchedulerError("away")),
    ],
)
def test_what_is_not_seen_is_not_told(snapshot: Snapshot) -> None:
    with pytest.raises(Later):
        by_snapshot(snapshot, "17", 1000.0)


@pytest.mark.parametrize("change", [{"job": 17}, {"restart": "0"}, {"version": 2}, {"more": 1}])
def test_a_question_has_exactly_its_fields(change: dict[str, object]) -> None:
    question = {"version": 1, "tag": "clusterhub:hub:alice:", "job": "17", "restart": 0}
    assert parse_question(question).job == "17"
    with pytest.raises(Refused):
        parse_question({**question, **change})


def test_what_a_session_says_that_it_uses_is_believed_within_bounds_only() -> None:
    question = {"version": 1, "tag": "clusterhub:hub:alice:", "job": "17", "restart": 0}
    assert parse_question(question).usage is None
    assert parse_question({**question, "usage": None}).usage is None
    used = {"memory": 5, "millicores": 0}
    assert parse_question({**question, "usage": used}).usage == Usage(5, 0)
    for change in (
        *({"memory": -1}, {"memory": MOST_MEMORY + 1}, {"memory": 5.0}, {"memory": True}),
        *({"millicores": 10**9}, {"millicores": "1"}, {"more": 1}),
    ):
        with pytest.raises(Refused):
            parse_question({**question, "usage": {**used, **change}})
    for instead in ([], "", 0, {"memory": 5}):
        with pytest.raises(Refused):
            parse_question({**question, "usage": instead})
