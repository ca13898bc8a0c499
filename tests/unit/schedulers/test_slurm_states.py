"""The table of Slurm's states."""

from __future__ import annotations

import pytest

from clusterhub.schedulers.model import JobState, Outcome
from clusterhub.schedulers.slurm_states import STATES, read_state

# squeue(1) of 22.05, "JOB STATE CODES", and job_state_string() of 26.05.
DOCUMENTED = (
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "CONFIGURING",
    "COMPLETING",
    "DEADLINE",
    "EXPEDITING",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PENDING",
    "PREEMPTED",
    "RUNNING",
    "RESV_DEL_HOLD",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "REQUEUED",
    "RESIZING",
    "REVOKED",
    "SIGNALING",
    "SPECIAL_EXIT",
    "STAGE_OUT",
    "UPDATE_DB",
    "STOPPED",
    "SUSPENDED",
    "TIMEOUT",
    "POWER_UP_NODE",
    "LAUNCH_FAILED",
    "RECONFIG_FAIL",
)


@pytest.mark.parametrize("word", DOCUMENTED)
def test_every_documented_word_is_in_the_table(word: str) -> None:
    assert word in STATES


def test_exactly_the_ended_states_have_an_outcome() -> None:
    for word, (state, outcome) in STATES.items():
        assert (outcome is not None) == (state is JobState.ENDED), word


@pytest.mark.parametrize(
    "word", ["PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD", "SUSPENDED", "RESIZING"]
)
def test_a_job_that_may_yet_run_is_live(word: str) -> None:
    assert read_state(word)[0].is_live


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("COMPLETED", Outcome.COMPLETED),
        ("CANCELLED", Outcome.CANCELLED),
        ("FAILED", Outcome.FAILED),
        ("TIMEOUT", Outcome.TIME_LIMIT),
        ("NODE_FAIL", Outcome.NODE_FAILED),
        ("PREEMPTED", Outcome.PREEMPTED),
        ("BOOT_FAIL", Outcome.BOOT_FAILED),
        ("DEADLINE", Outcome.DEADLINE),
        ("OUT_OF_MEMORY", Outcome.OUT_OF_MEMORY),
    ],
)
def test_a_job_that_ended_ended_as_the_word_says(word: str, outcome: Outcome) -> None:
    assert read_state(word) == (JobState.ENDED, outcome)


@pytest.mark.parametrize("word", ["COMPLETING", "STAGE_OUT"])
def test_a_job_that_is_cleaned_up_is_neither_live_nor_ended(word: str) -> None:
    assert read_state(word) == (JobState.ENDING, None)


@pytest.mark.parametrize("word", ["REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL", "UPDATE_DB"])
def test_a_word_that_does_not_say_what_comes_next_changes_nothing(word: str) -> None:
    assert read_state(word) == (JobState.UNKNOWN, None)


@pytest.mark.parametrize("word", ["SUSPENDED", "STOPPED"])
def test_a_job_whose_processes_stand_still_is_suspended(word: str) -> None:
    assert read_state(word) == (JobState.SUSPENDED, None)


def test_the_words_that_sacct_adds_are_read_over() -> None:
    assert read_state("CANCELLED by 1001") == (JobState.ENDED, Outcome.CANCELLED)
    assert read_state("CANCELLED+") == (JobState.ENDED, Outcome.CANCELLED)


@pytest.mark.parametrize("word", ["", " ", "?", "GONE", "running", "PENDINGX"])
def test_an_unknown_word_is_unknown(word: str) -> None:
    assert read_state(word) == (JobState.UNKNOWN, None)
