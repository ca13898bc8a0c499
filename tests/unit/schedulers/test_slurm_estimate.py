"""When a job would start is asked with the submission's own words, and read from what sbatch printed.

Recorded with sbatch 22.05.8. Without ``--test-only`` in the command (`SlurmScheduler.estimate`) the first
test fails, and the helper refuses it besides; without "allocation failure" among what is taken off
(`slurm_refusals._FAILED`) the refusals carry Slurm's prefix.
"""

from __future__ import annotations

import pytest
from tests.unit.schedulers.requests import FULL

from clusterhub.schedulers.model import CommandResult, SchedulerError, SubmitRefused
from clusterhub.schedulers.slurm import SlurmScheduler

SLURM = SlurmScheduler(cluster="main")


def answer(exit_code: int | None, stderr: str = "", problem: str = "") -> CommandResult:
    return CommandResult(exit_code, "", stderr, problem)


def test_it_is_asked_with_the_words_of_the_submission_and_submits_nothing() -> None:
    request = FULL
    asked, submitted = SLURM.estimate(request), SLURM.submission(request).argv
    assert asked == (submitted[0], "--test-only", *submitted[1:])


@pytest.mark.parametrize(
    "stderr",
    [
        "sbatch: Job 1 to start at 1795445420 using 2 processors on nodes n1 in partition interactive\n",
        (
            "sbatch: lua: a site's plugin says hello\n"
            "sbatch: Job 16 to start at 1795445420 using 1 processors on nodes n2 in partition gpu\n"
            "sbatch:   Preempts: 14,15\n"
        ),
    ],
)
def test_when_it_would_start_is_read(stderr: str) -> None:
    assert SLURM.parse_estimate(answer(0, stderr)) == 1795445420


@pytest.mark.parametrize(
    ("stderr", "sentence", "field"),
    [
        (
            "allocation failure: Requested node configuration is not available\n",
            "Requested node configuration is not available",
            "",
        ),
        (
            (
                "sbatch: error: invalid partition specified: nowhere\n"
                "allocation failure: Invalid partition name specified\n"
            ),
            "Invalid partition name specified; invalid partition specified: nowhere",
            "partition",
        ),
        (
            "allocation failure: Invalid account or account/partition combination specified\n",
            "Invalid account or account/partition combination specified",
            "account",
        ),
        ("allocation failure: Invalid qos specification\n", "Invalid qos specification", "qos"),
        (
            "allocation failure: Invalid feature specification\n",
            "Invalid feature specification",
            "constraint",
        ),
        (
            "allocation failure: Requested reservation is invalid\n",
            "Requested reservation is invalid",
            "reservation",
        ),
        (
            "allocation failure: Requested time limit is invalid (missing or exceeds some limit)\n",
            "Requested time limit is invalid (missing or exceeds some limit)",
            "time",
        ),
    ],
)
def test_what_would_be_refused_is_told_with_the_field(stderr: str, sentence: str, field: str) -> None:
    with pytest.raises(SubmitRefused) as caught:
        SLURM.parse_estimate(answer(1, stderr))
    told = caught.value.explanation
    assert told.what == f"Slurm would refuse the job: {sentence}"
    assert caught.value.field == field
    assert told.next


@pytest.mark.parametrize(
    "result",
    [
        answer(None, problem="no answer in time"),
        answer(0),
        answer(0, "sbatch: Job 1 to start at 2026-11-23T15:30:27 using 1 processors on nodes n1\n"),
        answer(1, "sbatch: error: Unable to contact slurm controller (connect failure)\n"),
        answer(1, "allocation failure: Socket timed out on send/recv operation\n"),
        answer(-9),
    ],
)
def test_where_nobody_can_tell_it_is_no_refusal(result: CommandResult) -> None:
    with pytest.raises(SchedulerError) as caught:
        SLURM.parse_estimate(result)
    assert not isinstance(caught.value, SubmitRefused)
