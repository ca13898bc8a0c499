"""Open pages are warned and told to save in time, whatever becomes of the hub meanwhile."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from clusterhub.session import following
from clusterhub.session.following import Session

SETTINGS = {"warning": 0.6, "tag": "clusterhub:hub:alice:"}


@pytest.fixture(autouse=True)
def in_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setattr(following, "SPREAD", 0.0)


class Hub:
    """What the hub answers, and what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Any]) -> None:
        self.asked: list[tuple[str, dict[str, Any], str]] = []

        def post(_settings: object, what: str, body: dict[str, Any], token: str, _timeout: float) -> Any:
            self.asked.append((what, body, token))
            return answer()

        monkeypatch.setattr(following, "post", post)


async def events(session: Session, number: int) -> list[dict[str, Any]]:
    """So many events that the session's pages get."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def emit(*, schema_id: str, data: dict[str, Any]) -> None:
        assert schema_id == following.EVENT
        queue.put_nowait(data)

    task = asyncio.create_task(session.follow(emit))
    try:
        return [await asyncio.wait_for(queue.get(), 20) for _ in range(number)]
    finally:
        task.cancel()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)


def fail() -> None:
    raise OSError("the hub is away")


async def test_the_hub_is_asked_once_before_anybody_is_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(monkeypatch, lambda: {"remaining_s": 0.5, "seen_s_ago": 0.0})
    [event] = await events(Session(SETTINGS, "token", 1.2), 1)
    assert (event["warn"], event["save"]) == (True, True)
    assert event["remaining_s"] == pytest.approx(0.5, abs=0.2)
    asked = {"version": 1, "tag": "clusterhub:hub:alice:", "job": "17", "restart": 0}
    assert hub.asked == [("time_url", asked, "token")]


async def test_pages_are_warned_also_while_the_hub_is_away(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Hub(monkeypatch, fail)
    [event] = await events(Session(SETTINGS, "token", 1.2), 1)
    assert (event["warn"], event["save"]) == (True, True)
    assert "the hub does not say how long the session lasts" in capfd.readouterr().err


async def test_a_limit_that_was_extended_while_nobody_looked_warns_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = Hub(monkeypatch, lambda: {"remaining_s": 3600.0, "seen_s_ago": 0.0})
    session = Session(SETTINGS, "token", 1.2)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(events(session, 1), 2)
    assert len(hub.asked) == 1
    assert session.model()["warn"] is False


async def test_the_schedulers_signal_warns_at_once_and_the_hubs_next_look_takes_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clusterhub.session.deadline.LOOK", 0.1)
    seen_ago = iter([100.0, 0.0])
    Hub(monkeypatch, lambda: {"remaining_s": 3600.0, "seen_s_ago": next(seen_ago)})
    session = Session({**SETTINGS, "warning": 300}, "token", 3600.0)
    asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGUSR1)
    first, *_, last = await events(session, 3)
    assert (first["warn"], first["save"]) == (True, True)
    assert last == {"remaining_s": pytest.approx(3600, abs=5), "warn": False, "save": False, "messages": []}


async def test_a_session_without_limit_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(monkeypatch, fail)
    session = Session(SETTINGS, "token", None)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(events(session, 1), 0.3)
    assert hub.asked == []
    assert session.model()["remaining_s"] is None


async def test_the_hub_hears_what_is_used_and_pages_what_operators_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = {"remaining_s": 3600.0, "seen_s_ago": 0.0, "messages": [{"id": "1", "text": "Please save."}]}
    hub = Hub(monkeypatch, lambda: answer)
    monkeypatch.setattr(following, "FIRST", 0.1)
    session = Session(SETTINGS, "token", 3600.0)
    report = asyncio.create_task(session.report())
    [event] = await events(session, 1)
    report.cancel()
    assert (event["messages"], event["warn"], event["save"]) == (answer["messages"], False, False)
    assert session.model()["messages"] == answer["messages"]
    used = hub.asked[0][1]["usage"]
    assert used["memory"] > 0
    assert used["millicores"] >= 0
