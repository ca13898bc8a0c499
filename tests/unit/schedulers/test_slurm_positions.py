"""Positions in the queue, read from what squeue prints of all jobs that wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterhub.schedulers.model import CommandResult, Position, SchedulerError
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.schedulers.slurm_positions import count_tasks, read_positions, read_privacy

RECORDED = Path(__file__).parent / "recorded"
SLURM = SlurmScheduler(cluster="main")


def line(
    job: int, priority: int, reason: str = "Priority", partitions: str = "batch", tasks: str = "N/A"
) -> str:
    return f"{job:<12}{priority:<12}{reason[:48]:<48}|{tasks}|{partitions}\n"


def test_jobs_of_the_same_partition_with_more_priority_or_a_lower_number_are_ahead() -> None:
    positions = read_positions(
        line(12, 50) + line(11, 50) + line(10, 40) + line(9, 90, "Resources") + line(8, 99, partitions="gpu")
    )
    assert {job: each[0].ahead for job, each in positions.items()} == {"9": 0, "11": 1, "12": 2, "10": 3}
    assert positions["10"] == (Position(3, "batch"),)


def test_a_job_in_several_partitions_has_a_position_in_each() -> None:
    positions = read_positions(
        line(1, 9, "Resources", "batch")
        + line(2, 8, "Priority", "batch")
        + line(3, 5, "Priority", "batch,gpu")
    )
    assert positions["3"] == (Position(2, "batch"), Position(0, "gpu"))


@pytest.mark.parametrize(
    "reason",
    [
        "Dependency",
        "DependencyNeverSatisfied",
        "BeginTime",
        "JobHeldUser",
        "QOSMaxJobsPerUserLimit",
        "JobArrayTaskLimit",
    ],
)
def test_jobs_that_stand_in_nobodys_way_are_not_ahead_and_have_no_position(reason: str) -> None:
    positions = read_positions(line(1, 90, reason) + line(2, 10, "Resources") + line(3, 0, "whatever"))
    assert positions == {"2": (Position(0, "batch"),)}


def test_an_array_that_waits_stands_for_each_of_its_tasks() -> None:
    positions = read_positions(line(1, 9, "Resources", tasks="1-10,15%2") + line(2, 5))
    assert positions["2"] == (Position(11, "batch"),)


def test_tasks_that_squeue_left_out_make_the_number_a_least_one() -> None:
    positions = read_positions(line(1, 9, "Resources", tasks="1,3,5,...") + line(2, 5))
    assert positions["2"] == (Position(3, "batch", at_least=True),)
    assert positions["1"] == (Position(0, "batch"),)


@pytest.mark.parametrize(
    ("expression", "count"),
    [("N/A", 1), ("7", 1), ("0-99", 100), ("1-9:2", 5), ("1-3,5-6%1", 5), ("", 1), ("1-2,...", 2)],
)
def test_the_tasks_of_an_array_are_counted(expression: str, count: int) -> None:
    assert count_tasks(expression) == (count, expression.endswith("..."))


def test_a_job_is_not_said_to_be_the_first_while_those_ahead_of_it_are_hidden() -> None:
    assert read_positions(line(7, 5, "Priority")) == {}
    assert read_positions(line(7, 5, "Resources")) == {"7": (Position(0, "batch"),)}


@pytest.mark.parametrize(
    "text", [line(7, 5)[:-1], line(7, 5) + "7\n", "garbage\n" * 20, line(7, 5).replace("|", " ")]
)
def test_an_answer_that_is_garbled_or_cut_short_tells_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="record"):
        read_positions(text)
    with pytest.raises(SchedulerError, match="cannot be read"):
        SLURM.parse_positions(CommandResult(0, text, ""))


def test_text_of_anybodys_in_a_reason_makes_no_line_of_its_own() -> None:
    forged = f"{8:<12}{99:<12}{'x':<24}|N/A|batch\n"
    positions = read_positions(line(7, 9, "Reservation\n" + forged) + line(6, 5))
    assert set(positions) == {"7", "6"}, "the forged line is part of the first one's reason"


def test_an_error_of_squeue_tells_nothing() -> None:
    with pytest.raises(SchedulerError):
        SLURM.parse_positions(CommandResult(1, "", "slurm_load_jobs error: Unable to contact"))


def test_what_22_05_prints_is_read() -> None:
    positions = read_positions((RECORDED / "positions-22.05.8.txt").read_text())
    told = {job: tuple((each.partition, each.ahead) for each in place) for job, place in positions.items()}
    assert told == {
        "9": (("gpu", 0),),
        "44": (("gpu", 1),),
        "45": (("gpu", 2),),
        "5": (("interactive", 0),),  # an array of which 122 tasks wait
        "3": (("interactive", 122), ("batch", 0)),
    }


@pytest.mark.parametrize(
    ("value", "private"), [("none", False), ("jobs", True), ("accounts,jobs,users", True), ("usage", False)]
)
def test_privacy_is_read_from_the_configuration(value: str, private: bool) -> None:
    text = f"PriorityWeightTRES      = (null)\nPrivateData             = {value}\nProctrackType = x\n"
    assert read_privacy(text) is private
    assert SLURM.parse_privacy(CommandResult(0, text, "")) is private


def test_privacy_that_nobody_tells_is_unknown() -> None:
    with pytest.raises(SchedulerError, match="PrivateData"):
        SLURM.parse_privacy(CommandResult(0, "Configuration data as of ...\n", ""))
