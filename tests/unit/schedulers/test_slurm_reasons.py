"""Every reason for which Slurm lets a job wait has a person's words, and says what the person can do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clusterhub.schedulers.model import Job, JobState, WaitReason
from clusterhub.schedulers.slurm_reasons import wait_reason

RECORDED = Path(__file__).parent / "recorded" / "reasons-22.05.8-to-26.05.txt"
NAMES = [line for line in RECORDED.read_text().splitlines() if not line.startswith("#")]
SLURMS_WORDS = re.compile(r"\b(QOS|assoc\w*|grp|TRES|GRES|tres|gres|squeue|sacctmgr|None|null)\b")


def why(text: str, restarts: int = 0) -> WaitReason:
    said = wait_reason(Job("17", JobState.QUEUED, reason=text, restarts=restarts))
    assert said is not None
    return said


@pytest.mark.parametrize("name", [name for name in NAMES if name != "None"])
def test_every_name_that_slurm_has_is_put_into_words(name: str) -> None:
    said = why(name)
    assert said.word == name
    assert "the scheduler says" not in said.why
    assert said.why[0].islower()
    assert not said.why.endswith(".")
    assert not SLURMS_WORDS.search(f"{said.why} {said.next}")
    assert said.next == "" or said.next.endswith(".")
    assert "{" not in f"{said.why}{said.next}"


def test_the_list_is_whole() -> None:
    assert len(NAMES) == len(set(NAMES)) > 200
    assert {"Priority", "QOSMaxJobsPerUserLimit", "AssocGrpCPUMinutesLimit", "MpiPortsBusy"} <= set(NAMES)


@pytest.mark.parametrize(
    ("name", "words", "todo"),
    [
        ("QOSMaxJobsPerUserLimit", "you run as many jobs as you may at once", "you can stop one"),
        ("AssocMaxJobsLimit", "you run as many jobs", "when a job of yours ends"),
        ("AssocGrpJobsLimit", "people of your account run as many jobs", "when one of their jobs ends"),
        ("AssocGrpCPUMinutesLimit", "your account has used up what it had: core hours", "another account"),
        (
            "QOSGrpCPUMinutesLimit",
            "what this quality of service had is used up: core hours",
            "another profile",
        ),
        ("AssocGrpCPURunMinutesLimit", "have been given as much time in all", "with less time"),
        ("QOSMaxCpuPerUserLimit", "your jobs use as many cores as they may together", "a job of yours ends"),
        ("AssocGrpGRES", "the jobs of your account use as many GPUs or other devices", "fewer GPUs"),
        ("QOSMaxMemoryPerJob", "more memory than the quality of service allows one job", "less memory"),
        ("AssocMaxGRESPerNode", "than your account allows on one node", "fewer GPUs"),
        ("QOSMaxWallDurationPerJobLimit", "more time than the quality of service", "choose less time"),
        ("AssocMaxCpuMinutesPerJobLimit", "more core hours than your account allows", "less time or fewer"),
        ("QOSMinGRES", "asks for less than the quality of service demands: GPUs", "choose more"),
        ("MaxCpuRunMinsPerUser", "your jobs that run have been given", "with less time"),
        ("MaxNodePerAccount", "the jobs of your account use as many nodes", "some of them end"),
        ("AssocGrpBilling", "use as much of its budget", "some of them end"),
        ("MaxSubmitJobsPerAccount", "have as many jobs in the queue", "ends"),
        ("JobHeldUser", "it is held", "scontrol release 17"),
        ("PartitionDown", "the partition is closed", "Choose another profile"),
        ("ReqNodeNotAvail", "down, drained, reserved or in use", "Choose another profile"),
    ],
)
def test_what_is_said_of_limits_and_faults(name: str, words: str, todo: str) -> None:
    said = why(name)
    assert words in said.why
    assert todo in said.next
    assert not said.competes


@pytest.mark.parametrize(
    ("text", "word", "words", "todo"),
    [
        (
            "(ReqNodeNotAvail, UnavailableNodes:n[1-3])",
            "ReqNodeNotAvail",
            "are down or drained: n[1-3]",
            "another profile",
        ),
        ("ReqNodeNotAvail, UnavailableNodes:", "ReqNodeNotAvail", "down, drained", "another profile"),
        ("ReqNodeNotAvail, Reserved for maintenance", "ReqNodeNotAvail", "maintenance", "less time"),
        ("ReqNodeNotAvail, May be reserved for other job", "ReqNodeNotAvail", "another job", "less time"),
        (
            "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
            "",
            "down, drained or kept for more urgent jobs",
            "wait",
        ),
        ("launch failed requeued held", "", "could not be started", "scontrol release 17"),
        ("job requeued in held state", "", "is held now", "scontrol release 17"),
        ("Reservation class-7 was deleted", "", "reservation class-7 is gone", "another profile"),
        ("burst buffer stage_in error", "", "burst buffer failed", "operators"),
        ("BurstBufferOperation: no {room}", "BurstBufferOperation", "burst buffer failed", "operators"),
        ("Odd and new {thing}", "", "the scheduler says: Odd and new {thing}", ""),
        ("NobodyKnowsThis", "", "the scheduler says: NobodyKnowsThis", ""),
    ],
)
def test_what_squeue_prints_in_place_of_a_name_is_put_into_words(
    text: str, word: str, words: str, todo: str
) -> None:
    said = why(text)
    assert said.word == word
    assert words in said.why
    assert todo in said.next


def test_a_job_that_is_run_again_waits_for_two_minutes_and_not_for_a_date() -> None:
    assert "a certain time" in why("BeginTime").why
    assert "two minutes" in why("BeginTime", restarts=1).why


@pytest.mark.parametrize("text", ["", "None", "(None)"])
def test_a_job_that_the_scheduler_has_not_looked_at_has_no_reason(text: str) -> None:
    assert wait_reason(Job("17", JobState.QUEUED, reason=text)) is None


@pytest.mark.parametrize("name", ["Priority", "Resources", "Licenses", "NobodyKnowsThis"])
def test_only_a_job_that_waits_for_its_turn_has_a_position(name: str) -> None:
    assert why(name).competes
