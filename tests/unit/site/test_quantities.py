"""Durations, sizes and counts, in people's words."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterhub.site.quantities import (
    LARGEST_BYTES,
    LONGEST_SECONDS,
    Refused,
    format_duration,
    format_size,
    parse_count,
    parse_duration,
    parse_size,
)

HOUR = 3600
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("90min", 90 * 60),
        ("90m", 90 * 60),
        ("4h", 4 * HOUR),
        ("2h30m", 2 * HOUR + 30 * 60),
        ("1d12h", DAY + 12 * HOUR),
        ("1 day 12 hours", DAY + 12 * HOUR),
        ("1w", 7 * DAY),
        (" 4 H ", 4 * HOUR),
        ("30:00", 30 * 60),
        ("0:30", 30),
        ("04:00:00", 4 * HOUR),
        ("100:00:00", 100 * HOUR),
        ("1-12", DAY + 12 * HOUR),
        ("1-12:30", DAY + 12 * HOUR + 30 * 60),
        ("1-12:00:00", DAY + 12 * HOUR),
        ("7-00:00:05", 7 * DAY + 5),
    ],
)
def test_a_duration_is_read_as_people_and_as_slurm_write_it(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", "h", "4", "240", "4x", "4h4h", "30min1h", "-4h", "4.5h", "1:2:3:4", "1-", "-1", "1-1-1", "4h ago",
        "unlimited", "INFINITE", "99999d", "9999999999h", "٤h", "4h\n5", "four hours", "1:-2",
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_duration(text)
    assert caught.value.allowed
    assert caught.value.explanation.next


def test_a_number_without_a_unit_is_refused_because_it_could_be_minutes_or_seconds() -> None:
    with pytest.raises(Refused, match="minutes or seconds") as caught:
        parse_duration("30")
    assert '"30min" or "30s"' in caught.value.allowed


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=LONGEST_SECONDS))
def test_a_duration_that_was_written_is_read_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with contextlib.suppress(Refused):
        assert 0 <= parse_duration(text) <= LONGEST_SECONDS


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (30, "30s"), (5400, "1h30min"), (DAY, "1d"), (DAY + 12 * HOUR, "1d12h"), (14 * DAY, "14d")],
)
def test_a_duration_is_written_in_the_words_of_the_site_file(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500M", 500 * 2**20),
        ("500MB", 500 * 2**20),
        ("4 GiB", 4 * 2**30),
        ("4GiB", 4 * 2**30),
        ("4 GB", 4 * 2**30),
        ("2G", 2 * 2**30),
        ("2g", 2 * 2**30),
        ("1 TB", 2**40),
        ("1.5 GiB", 3 * 2**29),
        ("64K", 2**16),
    ],
)
def test_a_size_is_read_with_letters_that_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "4", "4096", "4.5", "GiB", "4 XiB", "-4G", "4 GiBs", "4G4M", "4,5G", "9999999P", "1e3M", "٤G"],
)
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_size(text)
    assert caught.value.allowed


@settings(deadline=None)
@given(
    st.sampled_from([2**10, 2**20, 2**30, 2**40]).flatmap(
        lambda unit: st.integers(min_value=1, max_value=min(LARGEST_BYTES // unit, 999_999_999)).map(
            lambda number: number * unit
        )
    )
)
def test_a_size_that_was_written_is_read_back(size: int) -> None:
    assert parse_size(format_size(size)) == size


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    with contextlib.suppress(Refused):
        assert 0 <= parse_size(text) <= LARGEST_BYTES


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (4 * 2**30, "4 GiB"),
        (3 * 2**29, "1.5 GiB"),
        (500 * 2**20, "500 MiB"),
        (2**40, "1 TiB"),
        (7, "7 bytes"),
    ],
)
def test_a_size_is_written_in_the_largest_unit_that_says_it(size: int, text: str) -> None:
    assert format_size(size) == text


def test_a_count_is_digits_and_nothing_else() -> None:
    assert parse_count(" 8 ") == 8
    for text in ("", "-1", "8.0", "0x8", "1_000", "99999999", "٤"):
        with pytest.raises(Refused):
            parse_count(text)
