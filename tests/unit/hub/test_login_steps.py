"""Logins are judged in order; a password is kept for a minute at most, for the page that it came from."""

from __future__ import annotations

import asyncio

import pytest

from clusterhub.hub import login_gates
from clusterhub.hub.login_gates import FROM_ONE_NETWORK, Crowded, Gates
from clusterhub.hub.login_steps import MOST, SECONDS, Steps
from clusterhub.privileged.broker import Question

QUESTIONS = (Question("Code:", hidden=True),)


def test_a_password_is_given_back_once_to_whom_it_is_from() -> None:
    steps = Steps()
    key = steps.keep("alice", "net", "secret", QUESTIONS, 0.0)
    step = steps.take(key, "alice", "net", SECONDS - 1)
    assert step is not None
    assert (step.password, step.questions) == ("secret", QUESTIONS)
    assert "secret" not in repr(step)
    assert steps.take(key, "alice", "net", SECONDS - 1) is None


@pytest.mark.parametrize(
    ("name", "network", "now"), [("bob", "net", 1.0), ("alice", "other", 1.0), ("alice", "net", SECONDS)]
)
def test_a_password_is_given_to_nobody_else_and_not_later(name: str, network: str, now: float) -> None:
    steps = Steps()
    key = steps.keep("alice", "net", "secret", QUESTIONS, 0.0)
    assert steps.take(key, name, network, now) is None
    assert steps.take("", "alice", "net", 1.0) is None


def test_passwords_are_forgotten_in_time_and_never_too_many_are_kept() -> None:
    steps = Steps()
    for n in range(MOST + 10):
        steps.keep(f"person{n}", "net", "secret", QUESTIONS, 0.0)
    assert len(steps._steps) == MOST
    steps.forget_old(SECONDS)
    assert not steps._steps


async def test_one_network_has_a_few_at_a_time_in_order_and_leaves_room_for_others() -> None:
    gates, order, leave = Gates(), list[str](), asyncio.Event()

    async def log_in(account: str, network: str) -> None:
        async with gates.through(account, network):
            order.append(account)
            await leave.wait()

    logins = [asyncio.create_task(log_in(f"a{n}", "crowd")) for n in range(FROM_ONE_NETWORK + 3)]
    logins.append(asyncio.create_task(log_in("b", "elsewhere")))
    for _ in range(20):
        await asyncio.sleep(0)
    assert order == [*(f"a{n}" for n in range(FROM_ONE_NETWORK)), "b"]
    leave.set()
    await asyncio.gather(*logins)
    assert order[-3:] == ["a4", "a5", "a6"]
    assert not gates._gates


async def test_an_account_is_judged_one_by_one_from_a_network() -> None:
    """Otherwise a hundred guesses at once would all be free."""
    gates, inside = Gates(), 0

    async def log_in() -> None:
        nonlocal inside
        async with gates.through("alice", "net"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(log_in() for _ in range(20)))


async def test_who_would_wait_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_gates, "MOST_WAITING", 1)
    gates = Gates()
    async with gates.through("alice", "net"):
        with pytest.raises(Crowded):
            async with gates.through("bob", "other"):
                pytest.fail("let in")
    async with gates.through("bob", "other"):
        pass
