"""sacct's answer. That version printed ``recorded/sacct-22.05.8.txt``; what is made by hand says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterhub.schedulers.model import CommandResult, Job, JobState, Outcome, SchedulerError
from clusterhub.schedulers.slurm import SlurmScheduler

SLURM = SlurmScheduler(cluster="main")
RECORDED = (Path(__file__).parent / "recorded" / "sacct-22.05.8.txt").read_text()


def jobs(text: str = RECORDED) -> dict[str, Job]:
    return dict(SLURM.parse_accounting(CommandResult(0, text, "")))


def test_one_command_asks_about_many_jobs() -> None:
    argv = SLURM.accounting(["7", "8"])
    assert argv is not None
    assert argv[0] == "sacct"
    assert "--jobs=7,8" in argv


def test_no_field_is_a_persons_to_write() -> None:
    # A line that anybody could put a new line or a | into would let them write about other jobs.
    argv = SLURM.accounting(["7"])
    assert argv is not None
    (fields,) = (word.partition("=")[2].split(",") for word in argv if word.startswith("--format="))
    assert not {"JobName", "Comment", "AdminComment", "WorkDir", "SubmitLine", "WCKey"} & set(fields)


def test_an_ended_job_has_outcome_exit_code_memory_and_times() -> None:
    assert jobs()["51"] == Job(
        id="51",
        state=JobState.ENDED,
        person="alice",
        partition="interactive",
        nodes=("n1",),
        outcome=Outcome.FAILED,
        exit_code=7,
        submitted_at=1795413365.0,
        started_at=1795413365.0,
        ends_at=1795413365.0,
        peak_memory=3408 * 1024,
    )


def test_who_cancelled_a_job_is_told() -> None:
    assert [(jobs()[number].outcome, jobs()[number].cancelled_by) for number in ("54", "55")] == [
        (Outcome.CANCELLED, 1001),
        (Outcome.CANCELLED, 0),
    ]


def test_an_end_of_which_the_news_are_still_on_their_way_is_none_yet() -> None:
    # As 22.05.8 printed it, at first and ten seconds later, after slurmdbd had been away.
    first = "1|CANCELLED|0:0|alice|debug|n1|1795413365|1795413365|Unknown||None\n"
    later = "1|CANCELLED by 1001|0:0|alice|debug|n1|1795413365|1795413365|1795413366||None\n"
    assert (jobs(first)["1"].state, jobs(first)["1"].outcome) == (JobState.UNKNOWN, None)
    assert (jobs(later)["1"].state, jobs(later)["1"].cancelled_by) == (JobState.ENDED, 1001)


def test_a_signal_is_told_and_slurms_mark_for_memory_is_none() -> None:
    assert jobs()["53"].signal == 9
    assert (jobs()["59"].outcome, jobs()["59"].signal) == (Outcome.OUT_OF_MEMORY, None)


def test_out_of_memory_of_a_step_alone_is_the_jobs() -> None:
    # Made by hand: Slurm before 21.08, or a site whose job goes on after one task of it was killed.
    text = RECORDED.replace("59|OUT_OF_MEMORY|0:125", "59|FAILED|1:0")
    assert jobs(text)["59"].outcome is Outcome.OUT_OF_MEMORY


def test_jobs_that_live_are_told_as_such() -> None:
    states = {number: jobs()[number].state for number in ("56", "57", "60", "61")}
    assert states == {
        "56": JobState.RUNNING,
        "57": JobState.SUSPENDED,
        "60": JobState.QUEUED,
        "61": JobState.QUEUED,
    }
    assert jobs()["58"].nodes == ("n1", "n2")
    assert jobs()["60"].nodes == ()


def test_jobs_that_accounting_does_not_know_are_not_in_the_answer() -> None:
    assert jobs("") == {}


@pytest.mark.parametrize(
    "result",
    [
        CommandResult(1, "", "sacct: error: slurm_persist_conn_open: failed to connect\n"),
        CommandResult(1, "", "Slurm accounting storage is disabled\n"),
        CommandResult(0, "", "sacct: error: Problem talking to the database: Connection refused\n"),
        CommandResult(None, "", "", "sacct gave no answer within 20 s"),
        CommandResult(0, RECORDED[:-1], ""),
        CommandResult(0, "51|FAILED\n", ""),
        CommandResult(0, "garbage\n", ""),
        CommandResult(0, RECORDED.replace("1795413365", "2026-11-23T05:56:05"), ""),
    ],
)
def test_anything_but_a_whole_good_answer_is_an_error(result: CommandResult) -> None:
    with pytest.raises(SchedulerError) as caught:
        SLURM.parse_accounting(result)
    assert caught.value.explanation.where == "sacct on cluster main"
