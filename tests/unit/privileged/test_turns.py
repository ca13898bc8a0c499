"""Whose turn it is where only a few may go at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from clusterhub.privileged.turns import Rank, Turns


class Line:
    """People who wait for their turn and keep it until they are released."""

    def __init__(self, at_once: int) -> None:
        self.turns = Turns(at_once)
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.arrived: list[str] = []
        self.inside = 0
        self.most = 0
        self._release: dict[str, asyncio.Event] = {}

    async def add(self, name: str, rank: Rank = Rank.START) -> None:
        """Somebody arrives; the part before the first digit is the person's name."""
        self._release[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._go(name, rank))
        await self.settle()

    async def _go(self, name: str, rank: Rank) -> None:
        async with self.turns.turn(name.rstrip("0123456789"), rank):
            self.arrived.append(name)
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await self._release[name].wait()
            finally:
                self.inside -= 1

    async def release(self, name: str) -> None:
        self._release[name].set()
        await self.settle()

    async def release_all(self) -> None:
        for name in self.tasks:
            await self.release(name)
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    @staticmethod
    async def settle() -> None:
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line(3)
    yield made
    await made.release_all()


async def test_no_more_than_so_many_go_at_once_in_the_order_of_arrival(line: Line) -> None:
    people = ["a", "b", "c", "d", "e", "f"]
    for name in people:
        await line.add(name)
    await line.release_all()
    assert line.arrived == people
    assert line.most == 2, "the last place is kept"


async def test_what_ends_a_job_goes_first_and_has_a_place_kept(line: Line) -> None:
    for name in ("a", "b", "c"):
        await line.add(name)
    await line.add("x", Rank.END)
    assert line.arrived == ["a", "b", "x"]
    await line.add("y", Rank.END)
    await line.release("a")
    assert line.arrived == ["a", "b", "x", "y"]
    assert line.most == 3


async def test_a_submission_goes_before_a_look(line: Line) -> None:
    for name in ("a", "b"):
        await line.add(name)
    await line.add("looks", Rank.LOOK)
    await line.add("starts", Rank.START)
    await line.release("a")
    assert line.arrived[-1] == "starts"
    await line.release("b")
    assert line.arrived[-1] == "looks"


async def test_one_persons_many_starts_do_not_keep_others_from_theirs(line: Line) -> None:
    for name in ("many1", "many2", "many3", "many4", "one1", "other1"):
        await line.add(name)
    await line.release_all()
    assert line.arrived == ["many1", "many2", "many3", "one1", "other1", "many4"]


async def test_who_waits_is_told_how_many_go_before(line: Line) -> None:
    for name in ("a", "b", "many1", "many2", "many3", "one1", "one2", "other1"):
        await line.add(name)
    ahead = {name: line.turns.ahead(task) for name, task in line.tasks.items()}
    assert ahead == {
        "a": 0, "b": 0, "many1": 0, "one1": 1, "other1": 2, "many2": 3, "one2": 4, "many3": 5,
    }  # fmt: skip
    arrived = len(line.arrived)
    await line.release_all()
    waited = sorted(set(ahead) - {"a", "b"}, key=lambda name: ahead[name])
    assert line.arrived[arrived:] == waited, "they go in just that order"


async def test_who_gives_up_makes_room(line: Line) -> None:
    for name in ("a", "b", "c", "d"):
        await line.add(name)
    line.tasks["c"].cancel()
    line.tasks["a"].cancel()
    await line.settle()
    assert line.arrived == ["a", "b", "d"]
    assert line.turns.ahead(line.tasks["c"]) == 0


async def test_a_turn_that_comes_as_its_owner_gives_up_is_not_lost(line: Line) -> None:
    for name in ("a", "b", "c", "d"):
        await line.add(name)
    line._release["a"].set()
    while line.inside > 1:  # noqa: ASYNC110 - until "c" has its turn, and has not been told yet
        await asyncio.sleep(0)
    line.tasks["c"].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await line.tasks["c"]
    await line.settle()
    assert line.arrived == ["a", "b", "d"]
