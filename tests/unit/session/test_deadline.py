"""When the session ends is believed as the hub and the scheduler's signal say it, the newer of the two."""

import pytest

from clusterhub.session.deadline import LONGEST_SLEEP, LOOK, Deadline


def deadline(remaining: float | None, lead: float = 300) -> Deadline:
    """One that was told at the time 0 how long there is."""
    made = Deadline(lead)
    made.learn(remaining, 0, 0)
    return made


def saves(of: Deadline, until: int) -> list[int]:
    """Seconds before the end at which documents are saved, if it is asked each second."""
    return [until - now for now in range(until + 1) if of.take_save(now)]


def test_documents_are_saved_when_the_warning_begins_and_twice_before_the_end() -> None:
    assert saves(deadline(3600), 3600) == [300, 60, 20]


@pytest.mark.parametrize(("lead", "moments"), [(90, [90, 60, 20]), (60, [60, 20]), (30, [30, 20]), (5, [5])])
def test_a_short_warning_has_the_moments_that_lie_in_it(lead: float, moments: list[int]) -> None:
    assert saves(deadline(600, lead), 600) == moments


def test_a_session_that_comes_late_saves_once_for_what_it_missed() -> None:
    late = deadline(300)
    assert late.take_save(290)
    assert not late.take_save(291)


def test_it_sleeps_until_the_warning_and_then_no_longer_than_until_the_next_moment() -> None:
    one = deadline(3600)
    assert one.sleep(0) == 3300
    assert one.sleep(3301) == LOOK
    assert one.sleep(3535) == 5
    assert one.sleep(3575) == 5
    assert deadline(10 * LONGEST_SLEEP).sleep(0) == LONGEST_SLEEP
    assert deadline(None).sleep(0) is None


def test_a_limit_that_is_extended_takes_the_warning_back_and_begins_anew() -> None:
    one = deadline(3600)
    assert one.is_near(3301)
    assert one.take_save(3301)
    one.learn(1800, 3330, 3325)
    assert not one.is_near(3330)
    assert one.remaining(3330) == 1800
    assert one.take_save(3330 + 1501)


def test_a_limit_that_is_shortened_is_known_by_the_signal_before_the_hub_has_looked() -> None:
    one = deadline(3600)
    one.signalled(1000)
    assert one.remaining(1000) == 300
    one.learn(2590, 1010, 995)
    assert one.remaining(1010) == 290
    one.learn(270, 1035, 1030)
    assert one.remaining(1035) == 270


def test_a_signal_that_means_nothing_is_believed_until_the_hub_has_looked() -> None:
    one = deadline(3600)
    one.signalled(1000)
    assert one.is_near(1000)
    one.learn(2580, 1020, 1015)
    assert not one.is_near(1020)


def test_a_signal_does_not_make_a_nearer_end_later() -> None:
    one = deadline(3600)
    one.signalled(3500)
    assert one.remaining(3500) == 100


def test_a_job_without_limit_has_no_end_until_it_is_given_one() -> None:
    one = deadline(None)
    assert one.remaining(10) is None
    assert not one.is_near(10)
    assert not one.take_save(10)
    one.signalled(1000)
    one.learn(None, 1010, 990)
    assert one.remaining(1010) == 290
    one.learn(None, 1040, 1035)
    assert one.remaining(1040) is None
