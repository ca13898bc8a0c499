"""Slurm's ways to write durations, sizes, times and exit codes."""

from __future__ import annotations

import pytest

from clusterhub.schedulers.model import Memory
from clusterhub.schedulers.slurm_quantities import (
    read_duration,
    read_exit_code,
    read_size,
    read_time,
    read_wait_status,
    write_duration,
    write_memory,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30:00", 1800),
        ("0:00", 0),
        ("30", 1800),
        ("1:00:00", 3600),
        ("1-12", 129600),
        ("1-12:30", 131400),
        ("1-00:00:00", 86400),
        ("UNLIMITED", None),
        ("NOT_SET", None),
        ("INVALID", None),
        ("", None),
    ],
)
def test_durations_are_read_as_the_man_page_says(text: str, seconds: int | None) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("seconds", [1, 59, 60, 3600, 86399, 86400, 129600])
def test_a_written_duration_is_read_as_the_same(seconds: int) -> None:
    assert read_duration(write_duration(seconds)) == seconds


def test_memory_is_rounded_up_to_whole_mebibytes() -> None:
    assert write_memory(Memory(1)) == "1M"
    assert write_memory(Memory(1024**3)) == "1024M"
    assert write_memory(Memory(1024**3 + 1)) == "1025M"


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("1234K", 1263616), ("1.5G", 1610612736), ("", None), ("?", None)]
)
def test_sizes_are_read(text: str, size: int | None) -> None:
    assert read_size(text) == size


def test_a_time_is_seconds_since_the_epoch_or_not_known() -> None:
    assert read_time("1795412677") == 1795412677.0
    assert read_time("N/A") is None
    assert read_time("Unknown") is None
    assert read_time("0") is None


def test_a_time_in_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        read_time("2026-11-23T05:23:02")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0, None)),
        ("1792", (7, None)),
        ("15", (0, 15)),
        ("4021", (None, None)),
        ("7:0", (7, None)),
        ("0:9", (0, 9)),
    ],
)
def test_a_wait_status_is_taken_apart(text: str, expected: tuple[int | None, int | None]) -> None:
    assert read_wait_status(text) == expected


def test_an_exit_code_of_sacct_is_taken_apart() -> None:
    assert read_exit_code("3:0") == (3, None)
    assert read_exit_code("0:125") == (0, None)
    assert read_exit_code("") == (None, None)
