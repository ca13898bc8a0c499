"""What is asked of every refusal, and of every run of made inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from clusterhub.errors import ClusterhubError

LONGEST_ANSWER = 1000
"""Characters of the longest refusal: it goes to logs and pages."""


def assert_in_words(error: ClusterhubError) -> None:
    """A refusal is short, and plain text: nothing of what came in can act on a terminal, a page or a log."""
    told = error.explanation
    assert told.what
    for part in (told.what, told.where, told.next):
        assert part.isprintable(), part
        assert len(part) <= LONGEST_ANSWER, part[:200]


def report(outcomes: Counter[str], record_property: Callable[[str, object], None]) -> None:
    record_property("calls", outcomes.total())
    print(f"{outcomes.total()} calls: {dict(outcomes)}")
    # A run in which everything is refused, or nothing, would show little.
    assert min(outcomes.values()) > outcomes.total() / 200
