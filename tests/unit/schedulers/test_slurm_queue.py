"""squeue's answer. Slurm of the version in its name printed each file in ``recorded``, of the same jobs.

What is made by hand says so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterhub.schedulers import slurm_queue
from clusterhub.schedulers.model import CommandResult, Job, JobState, Outcome, SchedulerError
from clusterhub.schedulers.slurm import SlurmScheduler

SLURM = SlurmScheduler(cluster="main")
RECORDINGS = {
    version: (Path(__file__).parent / "recorded" / f"squeue-{version}.txt").read_bytes().decode()
    for version in ("22.05.8", "24.11.5")
}
RECORDED = RECORDINGS["22.05.8"]
TAG = "clusterhub:hub.example.org:games:"


def jobs(text: str = RECORDED) -> dict[str, Job]:
    return dict(SLURM.parse_queue(CommandResult(0, text, "")))


def record(tail: str = "0           n1\n", **fields: str) -> str:
    """One record as squeue pads and cuts it, made by hand."""
    usual = {
        "JobID": "7",
        "State": "RUNNING",
        "RestartCnt": "0",
        "SubmitTime": "1795412677",
        "StartTime": "1795412678",
        "EndTime": "1795499078",
        "TimeUsed": "0:10",
        "UserName": "alice",
        "Partition": "interactive",
        "Reason": "None",
        "Name": "clusterhub",
        "Comment": TAG,
    }
    widths = dict(word.split(":") for word in slurm_queue.FORMAT.split(","))
    return "".join(value.ljust(int(widths[field])) for field, value in (usual | fields).items()) + tail


def test_the_queue_is_asked_once_for_all_jobs_of_this_hub_in_any_state() -> None:
    argv = SlurmScheduler("night").queue()
    assert argv[0] == "squeue"
    assert {"--noheader", "--all", "--states=all", "--name=night"} <= set(argv)
    assert SLURM.look_environment == {"SLURM_TIME_FORMAT": "%s"}


def test_every_version_tells_the_same_of_the_same_jobs() -> None:
    told = [
        {
            job.id: (job.state, job.outcome, job.exit_code, job.signal, job.tag, job.person, job.restarts)
            for job in jobs(recording).values()
        }
        for recording in RECORDINGS.values()
    ]
    assert len(told[0]) == 13
    assert told[0] == told[1]


def test_a_running_job_is_read_with_its_times_and_its_node() -> None:
    assert jobs()["5"] == Job(
        id="5",
        state=JobState.RUNNING,
        tag=TAG,
        person="games",
        name="clusterhub",
        partition="interactive",
        nodes=("n1",),
        submitted_at=1795412677.0,
        started_at=1795412678.0,
        ends_at=1795441478.0,
    )


def test_a_job_on_several_nodes_has_them_all() -> None:
    assert jobs()["8"].nodes == ("n1", "n2")


def test_waiting_jobs_have_the_schedulers_reason() -> None:
    found = {
        job_id: (job.state, job.reason) for job_id, job in jobs().items() if job_id in ("10", "12", "13")
    }
    assert found == {
        "10": (JobState.QUEUED, "Resources"),
        "12": (JobState.QUEUED, "BeginTime"),
        "13": (JobState.QUEUED, "JobHeldUser"),
    }


def test_an_expected_start_is_no_start() -> None:
    job = jobs()["12"]
    assert (job.started_at, job.expected_start, job.ends_at) == (None, 1795416277.0, None)
    assert jobs()["10"].expected_start is None


def test_a_long_reason_is_whole() -> None:
    assert jobs()["11"].reason.endswith("reserved for jobs in higher priority partitions")


@pytest.mark.parametrize(
    ("job_id", "outcome", "exit_code", "signal"),
    [
        ("1", Outcome.FAILED, 7, None),
        ("2", Outcome.COMPLETED, 0, None),
        ("3", Outcome.FAILED, 0, 9),
        ("4", Outcome.CANCELLED, 0, 15),
    ],
)
def test_ended_jobs_have_outcome_exit_code_and_signal(
    job_id: str, outcome: Outcome, exit_code: int, signal: int | None
) -> None:
    job = jobs()[job_id]
    assert job.state is JobState.ENDED
    assert (job.outcome, job.exit_code, job.signal) == (outcome, exit_code, signal)


def test_a_suspended_job_is_suspended() -> None:
    assert jobs()["7"].state is JobState.SUSPENDED


def test_a_job_that_is_being_requeued_is_queued_and_not_ending() -> None:
    # squeue printed COMPLETING for it: the flag hides the PENDING below.
    assert "6           COMPLETING " in RECORDED
    job = jobs()["6"]
    assert (job.state, job.restarts, job.nodes, job.expected_start) == (JobState.QUEUED, 1, (), None)


def test_a_job_that_ends_after_an_earlier_requeue_is_ending() -> None:
    (job,) = jobs(record(State="COMPLETING", RestartCnt="1", TimeUsed="1:00")).values()
    assert job.state is JobState.ENDING


def test_a_pending_job_with_restarts_is_queued_with_their_number() -> None:
    (job,) = jobs(record(tail="0\n", State="PENDING", RestartCnt="2")).values()
    assert (job.state, job.restarts) == (JobState.QUEUED, 2)


def test_nobody_can_forge_a_record_with_a_new_line_in_a_comment() -> None:
    # Job 9 was submitted with a comment that has a line about job 7 in it.
    assert "\n7           RUNNING" in RECORDED
    assert jobs()["7"].state is JobState.SUSPENDED
    assert jobs()["9"].tag.startswith("x\n7 ")
    assert sorted(jobs(), key=int) == [str(number) for number in range(1, 14)]


def test_bytes_that_are_no_text_do_not_move_the_fields() -> None:
    text = RECORDED.replace("é", b"\xe9\xff".decode("utf-8", "surrogateescape"))
    assert jobs(text).keys() == jobs().keys()


def test_the_exit_code_is_read_as_later_versions_print_it() -> None:
    # Slurm 26.05's sources: code and signal instead of a wait status, and nothing at all while there is none.
    (job,) = jobs(record(tail="7:0         n[3-4]\n", State="FAILED")).values()
    assert (job.exit_code, job.nodes) == (7, ("n3", "n4"))
    (job,) = jobs(record(tail="n3\n")).values()
    assert (job.exit_code, job.nodes) == (None, ("n3",))


def test_a_job_that_could_not_be_launched_has_no_made_up_exit_code() -> None:
    # 4021 was seen on 22.05.8 with JobLaunchFailure: an error number of Slurm's, not a wait status.
    (job,) = jobs(record(tail="4021        n1\n", State="FAILED", Reason="JobLaunchFailure")).values()
    assert (job.exit_code, job.signal, job.reason) == (None, None, "JobLaunchFailure")


def test_a_script_that_a_signal_ended_was_launched() -> None:
    assert "JobLaunchFailure" in RECORDED
    assert jobs()["3"].reason == ""


def test_an_unknown_state_is_unknown() -> None:
    (job,) = jobs(record(State="TELEPORTING")).values()
    assert job.state is JobState.UNKNOWN
    assert job.outcome is None


def test_jobs_of_another_name_are_left_out() -> None:
    assert jobs(record(Name="clusterhub2")) == {}


def test_an_empty_queue_is_a_good_answer() -> None:
    assert jobs("") == {}


@pytest.mark.parametrize(
    "result",
    [
        CommandResult(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"),
        CommandResult(1, RECORDED, ""),
        CommandResult(0, "", "squeue: error: something is wrong\n"),
        CommandResult(None, "", "", "squeue gave no answer within 20 s"),
        CommandResult(None, RECORDED, "", "squeue printed more than 9 bytes"),
        CommandResult(0, RECORDED[:-1], ""),
        CommandResult(0, RECORDED[:300], ""),
        CommandResult(0, RECORDED[5:], ""),
        CommandResult(0, "Segmentation fault\n", ""),
        CommandResult(0, "x" * 2000 + "\n", ""),
        CommandResult(0, record(SubmitTime="2026-11-23T05:2"), ""),
        CommandResult(0, record(tail="0 n1 n2\n"), ""),
        CommandResult(0, record(tail="0 n[1-\n"), ""),
    ],
)
def test_anything_but_a_whole_good_answer_is_an_error_with_three_parts(result: CommandResult) -> None:
    with pytest.raises(SchedulerError) as caught:
        SLURM.parse_queue(result)
    told = caught.value.explanation
    assert told.what.startswith("Slurm")
    assert told.where == "squeue on cluster main"
    assert told.next
