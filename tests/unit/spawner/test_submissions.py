"""A start needs no look of its own where the last one shows every job that its session may have."""

from __future__ import annotations

import pytest

from clusterhub.spawner.submissions import Submissions
from clusterhub.spawner.tags import Tag

SECONDS = 45.0
TAG, OTHER = Tag("hub", "alice", ""), Tag("hub", "alice", "second")


class Now:
    """The time, by hand."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def submissions(now: Now) -> Submissions:
    """Of a hub that has run for a while."""
    made = Submissions(SECONDS, now)
    now.seconds += 100
    return made


def test_a_look_soon_after_the_hub_began_may_miss_what_an_earlier_hub_submits(now: Now) -> None:
    submissions = Submissions(SECONDS, now)
    assert not submissions.are_shown(TAG, now.seconds + SECONDS)
    assert submissions.are_shown(TAG, now.seconds + SECONDS + 1)


def test_a_look_from_before_a_submission_or_during_it_shows_nothing_of_it(
    submissions: Submissions, now: Now
) -> None:
    with submissions.under_way(TAG):
        now.seconds += 1
        assert not submissions.are_shown(TAG, now.seconds)
        assert submissions.are_shown(OTHER, now.seconds)
    assert not submissions.are_shown(TAG, now.seconds)
    assert submissions.are_shown(TAG, now.seconds + 0.1)


def test_a_submission_without_an_answer_may_bring_a_job_later(submissions: Submissions, now: Now) -> None:
    with pytest.raises(TimeoutError), submissions.under_way(TAG):
        raise TimeoutError
    assert not submissions.are_shown(TAG, now.seconds + SECONDS)
    assert submissions.are_shown(TAG, now.seconds + SECONDS + 1)
