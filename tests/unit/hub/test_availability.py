"""The hub knows whether its database can be used, before it uses it."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from clusterhub.hub.availability import WORDS, Availability
from clusterhub.hub.database import Database


class Switched(Database):
    """A fake: it can be used while it is told so."""

    def __init__(self) -> None:
        super().__init__("sqlite:////nowhere")
        self.usable = True
        self.looks = 0

    def check(self, *, thoroughly: bool = False, may_be_new: bool = False) -> None:  # noqa: ARG002 - the real one's
        self.looks += 1
        if not self.usable:
            raise self.away("it is switched off")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterhub.hub.availability.PAUSE", 0.01)


async def test_one_look_serves_all_who_ask_within_a_second() -> None:
    database = Switched()
    availability = Availability(database)
    assert await asyncio.gather(*(availability.is_usable() for _ in range(20))) == [True] * 20
    assert database.looks == 1


async def test_what_must_not_fail_next_has_a_look_of_its_own() -> None:
    database = Switched()
    availability = Availability(database)
    await availability.is_usable()
    await availability.until_usable()
    assert database.looks == 2


async def test_it_is_waited_for_until_it_is_back() -> None:
    database = Switched()
    database.usable = False
    availability = Availability(database)
    assert not await availability.is_usable()
    waiting = asyncio.create_task(availability.until_usable())
    await asyncio.sleep(0)
    assert not waiting.done()
    database.usable = True
    await asyncio.wait_for(waiting, 10)
    assert await availability.is_usable()


async def test_what_the_hub_itself_meets_is_words_and_noted() -> None:
    database = Switched()
    undone = []
    availability = Availability(database)
    availability.undo = lambda: undone.append(True)
    engine = create_engine("sqlite://")
    availability.guard(engine)
    with engine.connect() as connection:
        connection.connection.driver_connection.create_function("fails", 0, fail)  # type: ignore[union-attr]
        with pytest.raises(OperationalError) as failed:
            connection.execute(text("SELECT fails()"))
        assert str(failed.value) == WORDS
        with pytest.raises(OperationalError, match="cannot use its database"):
            connection.execute(text("SELECT 1"))  # at once: nothing is asked while it is away
    await availability.until_usable()
    assert undone
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


def fail() -> None:
    raise sqlite3.OperationalError
