"""Times on pages can be read without JavaScript, and put into the person's own time zone with it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from clusterhub.hub.page_times import length_words, time_element

NOW = 1795419000.0  # 2026-11-23 07:30 UTC


@pytest.fixture(autouse=True)
def helsinki(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "EET-2EEST,M3.5.0/3,M10.5.0/4")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_time_is_exact_for_programs_and_short_for_people() -> None:
    assert time_element(NOW + 60, now=NOW) == '<time datetime="2026-11-23T07:31:00+00:00">09:31 EET</time>'
    assert time_element(NOW, seconds=True, now=NOW) == (
        '<time datetime="2026-11-23T07:30:00+00:00" data-seconds>09:30:00 EET</time>'
    )


def test_another_day_is_named() -> None:
    assert ">Tue 24 Nov, 09:30 EET<" in time_element(NOW + 86400, now=NOW)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00"), (7.9, "0:07"), (754, "12:34"), (3750, "1:02:30"), (-1, "0:00")]
)
def test_a_length_of_time_reads_as_on_a_clock(seconds: float, words: str) -> None:
    assert length_words(seconds) == words
