"""What is handed to sbatch, and what its answers mean. Slurm 22.05.8 printed the messages, unless said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.model import (
    CommandResult,
    Gpus,
    Memory,
    SchedulerError,
    SubmitRefused,
    SubmitUnclear,
    SubmitUnreached,
)
from clusterhub.schedulers.slurm import SlurmScheduler

from .requests import EMPTY, FULL, GIB

SLURM = SlurmScheduler(cluster="main")
FAILED = "Batch job submission failed: "
POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"


def answer(exit_code: int | None, stdout: str = "", stderr: str = "", problem: str = "") -> CommandResult:
    return CommandResult(exit_code, stdout, stderr, problem)


def test_a_full_request_names_every_option() -> None:
    assert SLURM.submission(FULL).argv == (
        "sbatch",
        "--parsable",
        "--job-name=clusterhub",
        "--comment=clusterhub:hub.example.org:alice:second",
        "--partition=gpu,batch",
        "--account=physics",
        "--qos=high",
        "--reservation=course",
        "--constraint=skylake&ib",
        "--nodes=2",
        "--ntasks=2",
        "--cpus-per-task=4",
        "--mem=4096M",
        "--gres=gpu:h200:2",
        "--time=1-12:00:00",
        "--signal=B:USR1@300",
        "--nice=100",
        "--chdir=/scratch/alice",
        "--output=/shared/100%%/alice/second-%j.log",
        "--open-mode=append",
        "--export=ALL",
        "--propagate=NONE",
        "--licenses=matlab",
        "--exclude",
        "n7",
    )


def test_a_warning_is_as_early_as_slurm_can_give_it() -> None:
    assert "--signal=B:USR1@65535" in SLURM.submission(replace(EMPTY, warning_seconds=86400)).argv


def test_an_empty_request_leaves_every_optional_option_out() -> None:
    assert SLURM.submission(EMPTY).argv == (
        "sbatch",
        "--parsable",
        "--job-name=clusterhub",
        "--comment=clusterhub:hub.example.org:alice:",
        "--nodes=1",
        "--ntasks=1",
        "--cpus-per-task=1",
        "--time=0-01:00:00",
        "--chdir=/",
        "--output=/shared/sessions/alice/default-%j.log",
        "--open-mode=append",
        "--export=ALL",
        "--propagate=NONE",
    )


def test_memory_per_cpu_and_untyped_gpus_have_their_own_forms() -> None:
    argv = SLURM.submission(replace(EMPTY, memory=Memory(GIB + 1, "cpu"), gpus=Gpus(1))).argv
    assert "--mem-per-cpu=1025M" in argv
    assert "--gres=gpu:1" in argv
    assert not [word for word in argv if word.startswith("--mem=")]


def test_the_script_goes_by_standard_input_and_not_into_the_arguments() -> None:
    submission = SLURM.submission(EMPTY)
    assert submission.stdin.startswith("#!/bin/bash\n")
    assert submission.stdin.endswith("exec sleep 60\n")
    assert not [word for word in submission.argv if "sleep" in word]


def test_a_configuration_of_its_own_reaches_every_command() -> None:
    assert SlurmScheduler(configuration="/etc/other/slurm.conf").environment == {
        "SLURM_CONF": "/etc/other/slurm.conf"
    }
    assert SLURM.environment == {}


def test_missing_programs_are_named_with_the_place_that_was_looked_at() -> None:
    with pytest.raises(ClusterhubError, match="The program sbatch is missing") as caught:
        SLURM.programs("/nonexistent")
    assert caught.value.explanation.where == "/nonexistent"


@pytest.mark.parametrize(
    ("stdout", "stderr"),
    [
        ("17\n", ""),
        ("17;main\n", ""),
        ("17\n", "sbatch: lua: Submitted to the partition batch\n"),
        ("Welcome to the cluster\n17\n", ""),
    ],
)
def test_the_id_of_a_submitted_job_is_read(stdout: str, stderr: str) -> None:
    assert SLURM.parse_submission(answer(0, stdout, stderr)) == "17"


@pytest.mark.parametrize(
    ("lines", "sentence", "remedy"),
    [
        (
            ("invalid partition specified: nonexist", FAILED + "Invalid partition name specified"),
            "Invalid partition name specified; invalid partition specified: nonexist",
            "sinfo",
        ),
        (
            (FAILED + "Invalid account or account/partition combination specified",),
            "Invalid account or account/partition combination specified",
            "sacctmgr",
        ),
        (
            (
                "Memory specification can not be satisfied",
                FAILED + "Requested node configuration is not available",
            ),
            "Requested node configuration is not available; Memory specification can not be satisfied",
            "Ask for less memory.",
        ),
        ((FAILED + "Requested reservation is invalid",), "Requested reservation is invalid", "scontrol show"),
        ((FAILED + "Invalid feature specification",), "Invalid feature specification", "constraint"),
        (
            ("QOSMaxSubmitJobPerUserLimit", FAILED + POLICY),
            f"{POLICY}; QOSMaxSubmitJobPerUserLimit",
            "QOS allows",
        ),
        ((FAILED + "Invalid --nice value",), "Invalid --nice value", "priority"),
        (("Invalid --time specification",), "Invalid --time specification", "shorter time"),
        ((FAILED + "Invalid license specification",), "Invalid license specification", "licence"),
        (("a plugin of the site says no",), "a plugin of the site says no", "operator"),
    ],
)
def test_a_refusal_carries_the_schedulers_own_sentence_and_a_remedy(
    lines: tuple[str, ...], sentence: str, remedy: str
) -> None:
    stderr = "".join(f"sbatch: error: {line}\n" for line in lines)
    with pytest.raises(SubmitRefused) as caught:
        SLURM.parse_submission(answer(1, "", stderr))
    told = caught.value.explanation
    assert told.what == f"Slurm refused the job: {sentence}"
    assert told.where == "sbatch on cluster main"
    assert remedy in told.next


def test_an_option_that_this_sbatch_does_not_know_is_a_refusal() -> None:
    stderr = "sbatch: unrecognized option '--bogus'\nTry \"sbatch --help\" for more information\n"
    with pytest.raises(SubmitRefused, match="unrecognized option '--bogus'"):
        SLURM.parse_submission(answer(255, "", stderr))


@pytest.mark.parametrize(
    "result",
    [
        answer(
            1, "", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"
        ),
        answer(
            1,
            "",
            "sbatch: error: Batch job submission failed: "
            "Unable to contact slurm controller (receive failure)\n",
        ),
        answer(
            1, "", "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received\n"
        ),
        answer(None, "", "", "sbatch gave no answer within 20 s"),
        answer(None, "17\n", "", "sbatch gave no answer within 20 s"),
        answer(-9, "", ""),
        answer(0, "", ""),
        answer(0, "17", ""),
        answer(0, "Submitted batch job\n", ""),
        answer(1, "17\n", "sbatch: error: something after the submit\n"),
    ],
)
def test_where_nobody_can_tell_the_answer_is_unclear(result: CommandResult) -> None:
    with pytest.raises(SubmitUnclear):
        SLURM.parse_submission(result)


def test_a_controller_that_was_never_reached_has_certainly_submitted_nothing() -> None:
    stderr = (
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n"
    )
    with pytest.raises(SubmitUnreached, match="cannot be reached") as caught:
        SLURM.parse_submission(answer(1, "", stderr))
    assert "Nothing was submitted" in caught.value.explanation.next


def test_a_cancel_names_one_job() -> None:
    assert SLURM.cancellation("17") == ("scancel", "17")


@pytest.mark.parametrize(
    "result",
    [
        answer(0),  # also for a job that is over, and on 22.05 for one that never was
        answer(1, "", "scancel: error: Kill job error on job id 99999: Invalid job id specified\n"),
        answer(
            1, "", "scancel: error: Kill job error on job id 5: Job/step already completing or completed\n"
        ),
    ],
)
def test_a_job_that_needs_no_cancel_is_no_error(result: CommandResult) -> None:
    SLURM.parse_cancellation(result)


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        (
            answer(210, "", "scancel: error: Kill job error on job id 6: Access/permission denied\n"),
            "Access/permission denied",
        ),
        (
            answer(
                8,
                "",
                "scancel: error: Kill job error on job id 6: "
                "Unable to contact slurm controller (connect failure)\n",
            ),
            "connect failure",
        ),
        (answer(None, "", "", "scancel gave no answer within 20 s"), "gave no answer"),
    ],
)
def test_a_cancel_that_was_not_taken_is_an_error(result: CommandResult, cause: str) -> None:
    with pytest.raises(SchedulerError, match=cause):
        SLURM.parse_cancellation(result)
