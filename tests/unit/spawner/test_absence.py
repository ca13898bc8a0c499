"""What is said of a session that cannot be visited although its job lives."""

from __future__ import annotations

import pytest

from clusterhub.schedulers.model import Job, JobState
from clusterhub.spawner.absence import absence_of

RUNNING = Job("7", JobState.RUNNING, nodes=("n1",))


def test_a_session_that_runs_and_can_be_reached_is_not_absent() -> None:
    assert absence_of(RUNNING, reachable=True) is None
    assert absence_of(None, reachable=True) is None


@pytest.mark.parametrize("reachable", [True, False])
def test_a_suspended_session_is_said_to_be_suspended_whether_or_not_it_can_be_reached(
    reachable: bool,
) -> None:
    absence = absence_of(Job("7", JobState.SUSPENDED, nodes=("n1",)), reachable=reachable)
    assert absence is not None
    assert "suspended job 7 on n1" in absence.words
    assert "Nothing is lost" in absence.words


def test_a_session_out_of_reach_names_job_and_node() -> None:
    absence = absence_of(RUNNING, reachable=False)
    assert absence is not None
    assert "cannot reach job 7 on n1" in absence.words


def test_a_session_out_of_reach_whose_job_is_not_seen_is_not_said_to_run() -> None:
    absence = absence_of(None, reachable=False)
    assert absence is not None
    assert "that it runs" not in absence.words
