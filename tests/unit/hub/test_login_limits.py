"""Guessing is slow, from one address and from many; whoever has the password comes in after a short wait."""

from __future__ import annotations

import pytest

from clusterhub.hub import login_limits
from clusterhub.hub.login_limits import (
    ACCOUNT_TRIES,
    FREE_TRIES,
    LONGEST_WAIT,
    MOST_TURNS,
    NETWORK_TRIES,
    LoginLimits,
    in_words,
    network_of,
)

HOME, ELSEWHERE = "192.0.2.7", "198.51.100.9"
DAY = 86400.0


def guess(limits: LoginLimits, name: str, address: str, now: float) -> float:
    """Tries a wrong password; 0, or the seconds to wait."""
    wait = limits.begin(name, address, now)
    if wait is None:
        limits.wrong(name, address, now)
    return wait.seconds if wait else 0.0


def guesses_in(limits: LoginLimits, seconds: float, name: str, address: str, start: float = 0.0) -> int:
    """How many wrong passwords somebody gets judged who tries as soon as they may."""
    now, count = start, 0
    while now < start + seconds:
        wait = guess(limits, name, address, now)
        count += wait == 0
        now += max(wait, 0.01)
    return count


def test_some_mistakes_are_free_and_then_the_wait_grows() -> None:
    limits = LoginLimits()
    assert [guess(limits, "alice", HOME, 0.0) for _ in range(FREE_TRIES)] == [0.0] * FREE_TRIES
    now, waits = 0.0, []
    for _ in range(12):
        wait = limits.begin("alice", HOME, now)
        assert wait is not None
        waits.append(wait.seconds)
        now += wait.seconds
        assert guess(limits, "alice", HOME, now) == 0.0
    assert waits[:4] == [2.0, 4.0, 8.0, 16.0]
    assert waits[-1] == LONGEST_WAIT


def test_the_right_password_works_after_a_few_wrong_ones_and_a_short_wait() -> None:
    limits = LoginLimits()
    for _ in range(FREE_TRIES):
        guess(limits, "alice", HOME, 0.0)
    wait = limits.begin("alice", HOME, 0.0)
    assert wait is not None
    assert (wait.seconds, wait.what) == (2.0, "account")
    assert limits.begin("alice", HOME, 2.0) is None
    limits.right("alice", HOME, 2.0)
    assert [guess(limits, "alice", HOME, 3.0) for _ in range(FREE_TRIES)] == [0.0] * FREE_TRIES


def test_trying_while_one_has_to_wait_does_not_make_it_longer() -> None:
    limits = LoginLimits()
    for _ in range(FREE_TRIES + 1):
        guess(limits, "alice", HOME, 0.0)
    for tenth in range(20):
        guess(limits, "alice", HOME, tenth / 10)
    assert limits.begin("alice", HOME, 2.0) is None


def test_one_address_gets_some_hundred_guesses_at_an_account_in_a_day() -> None:
    assert guesses_in(LoginLimits(), DAY, "alice", HOME) < 300


def test_other_spellings_of_a_name_are_no_further_tries() -> None:
    limits = LoginLimits()
    for name in ("alice", "ALICE", "Alice"):
        guess(limits, name, HOME, 0.0)
    assert limits.begin("aLICE", HOME, 0.0) is not None


def test_who_guesses_elsewhere_keeps_nobody_out() -> None:
    limits = LoginLimits()
    guesses_in(limits, 600, "alice", ELSEWHERE)
    assert limits.begin("alice", HOME, 600.0) is None


def test_one_password_for_every_name_is_slow_from_one_network() -> None:
    limits, now, count = LoginLimits(), 0.0, 0
    while now < 3600:
        wait = guess(limits, f"person{count}", HOME, now)
        count += wait == 0
        now += max(wait, 0.01)
    assert NETWORK_TRIES < count < NETWORK_TRIES + 3600 / 5 + 2
    # Somebody who logged in from there before is let in, and everybody elsewhere.
    limits.right("bob", HOME, 0.0)
    assert guess(limits, "dave", HOME, now) == 0.0
    assert limits.begin("carol", HOME, now) is not None
    assert limits.begin("bob", HOME, now) is None
    assert limits.begin("carol", ELSEWHERE, now) is None


def test_all_addresses_of_one_ipv6_network_are_one() -> None:
    limits = LoginLimits()
    for host in range(FREE_TRIES):
        guess(limits, "alice", f"2001:db8::{host:x}", 0.0)
    assert limits.begin("alice", "2001:db8::ffff", 0.0) is not None
    assert limits.begin("alice", "2001:db8:0:1::1", 0.0) is None
    assert network_of("nonsense") == ""


def test_many_addresses_together_are_slow_too_but_whoever_was_there_before_comes_in() -> None:
    limits = LoginLimits()
    limits.right("alice", HOME, 0.0)
    judged = sum(guess(limits, "alice", f"10.0.{n // 250}.{n % 250}", 0.0) == 0 for n in range(1000))
    assert judged == ACCOUNT_TRIES
    assert limits.begin("alice", HOME, 0.0) is None
    wait = limits.begin("alice", ELSEWHERE, 0.0)
    assert wait is not None
    assert wait.what == "account"


def test_from_a_new_address_one_comes_in_when_one_was_told_however_often_others_try() -> None:
    """Without turns, attackers who try more often take each try that becomes free."""
    limits = LoginLimits()
    for n in range(ACCOUNT_TRIES):
        guess(limits, "alice", f"10.1.0.{n}", 0.0)
    for n in range(MOST_TURNS - 1):
        guess(limits, "alice", f"10.2.0.{n}", 0.0)
    told = limits.begin("alice", HOME, 1.0)
    assert told is not None
    assert told.seconds <= 10.0 * (MOST_TURNS + 1)
    back = told.seconds + 17.0  # people are not as quick as programs
    for n in range(int(back * 10)):
        guess(limits, "alice", f"10.3.{n // 250}.{n % 250}", 1.0 + n / 10)
    assert limits.begin("alice", HOME, 1.0 + back) is None


def test_memory_is_bounded_whatever_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_limits, "MOST", 100)
    limits = LoginLimits()
    for n in range(5000):
        guess(limits, f"person{n}", f"10.{n // 65536}.{n // 256 % 256}.{n % 256}", 0.0)
        limits.right(f"person{n}", ELSEWHERE, 0.0)
    tables = (limits._pairs, limits._networks, limits._accounts, limits._known)
    assert max(len(table) for table in tables) <= 100  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "1 second"), (1.5, "2 seconds"), (58.9, "59 seconds"), (59.0, "1 minute"), (290.0, "5 minutes")],
)
def test_a_wait_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
