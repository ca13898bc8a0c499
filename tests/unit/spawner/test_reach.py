"""When the way to a session counts as lost, and when it is looked at again."""

from __future__ import annotations

import asyncio
import resource
import socket

import pytest

from clusterhub.spawner import reach
from clusterhub.spawner.reach import FAILURES, Reach, answers


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is due as soon as the one before is over."""
    for pause in ("DOUBT_PAUSE", "AWAY_PAUSE"):
        monkeypatch.setattr(reach, pause, 0.0)


def listening() -> tuple[socket.socket, str]:
    """A socket that the kernel accepts connections for, though no process ever takes one, and its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_a_process_that_is_stopped_can_be_reached_and_one_that_is_gone_cannot() -> None:
    listener, url = listening()
    with listener:
        assert await answers(url)
    assert not await answers(url)


async def test_a_hub_without_a_free_descriptor_says_nothing_against_the_node() -> None:
    """Where that error is not caught, following the session ends with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    await asyncio.sleep(0)  # the loop has what it needs
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            socket.socket()
        assert await answers("http://127.0.0.1:1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not await answers("http://127.0.0.1:1")


@pytest.mark.usefixtures("at_once")
async def test_a_session_is_out_of_reach_only_after_several_looks_and_back_after_one() -> None:
    listener, url = listening()
    way = Reach(url)
    way.doubt()
    listener.close()
    for count in range(1, FAILURES + 1):
        assert await _look(way)
        assert way.reachable == (count < FAILURES)
    host, port = url.removeprefix("http://").split(":")
    with socket.create_server((host, int(port))):
        assert not await _look(way)
        assert way.reachable


async def _look(way: Reach) -> bool:
    await asyncio.sleep(way.delay or 0)
    return await way.fails()


async def test_a_doubt_brings_a_look_but_not_one_upon_the_other() -> None:
    listener, url = listening()
    with listener:
        way = Reach(url)
        assert way.delay is None
        assert not await way.fails()
        way.doubt()
        assert way.delay == 0
        assert not await way.fails()
        assert way.delay is None
        way.doubt()
        assert way.delay is not None
        assert 0 < way.delay <= reach.DOUBT_PAUSE


async def test_all_sessions_of_a_node_are_doubted_when_one_does_not_answer_and_looked_at_once_while_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node_answers = True
    looks: list[str] = []
    looked, doubted = asyncio.Event(), asyncio.Event()

    async def answer(url: str) -> bool:
        looks.append(url)
        looked.set()
        return node_answers

    monkeypatch.setattr(reach, "answers", answer)
    nodes = reach.Nodes()
    doubts: list[str] = []

    def doubt(who: str) -> None:
        doubts.append(who)
        doubted.set()

    with (
        nodes.watched("http://n1:1", 0.001, lambda: doubt("alice")),
        nodes.watched("http://n1:2", 0.001, lambda: doubt("bob")),
        nodes.watched("http://n2:1", 0, lambda: doubt("nobody asked")),
    ):
        await looked.wait()
        assert doubts == []
        assert {url.rpartition(":")[0] for url in looks} == {"http://n1"}
        node_answers = False
        await doubted.wait()
        assert doubts[:2] == ["alice", "bob"]
    looks.clear()
    await asyncio.sleep(0.01)
    assert looks == []
