"""When sessions were last used, in JupyterHub's own database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy.orm import Session

from clusterhub.hub.activity import AT_ONCE, note_activity

EARLY, LATE = datetime.fromisoformat("2026-11-23T09:00"), datetime.fromisoformat("2026-11-23T10:00")


@pytest.fixture
def db() -> Iterator[Session]:
    session: Session = orm.new_session_factory()()
    yield session
    session.close()


def person(db: Session, name: str, *servers: str) -> Any:
    """One of JupyterHub's users, with these servers, whose last activity was early."""
    user = orm.User(name=name, last_activity=EARLY)
    db.add(user)
    for server in servers:
        db.add(orm.Spawner(name=server, user=user, last_activity=EARLY))
    db.commit()
    return SimpleNamespace(name=name, orm_user=user)


def route(user: str, server: str, at: str) -> dict[str, str]:
    return {"user": user, "server_name": server, "last_activity": at}


async def test_the_latest_is_noted_of_person_and_session(db: Session) -> None:
    alice, bob = person(db, "alice", "", "second"), person(db, "bob", "")
    routes = [
        route("alice", "", "2026-11-23T10:00:00.000Z"),
        route("alice", "second", "2026-11-23T08:00:00.000Z"),
        route("bob", "", "2026-11-23T08:00:00.000Z"),
        {"service": "a service"},
        {"hub": True},
        route("nobody", "", "2026-11-23T10:00:00.000Z"),
        route("bob", "no such server", "2026-11-23T09:00:00.000Z"),
    ]
    await note_activity(db, [alice, bob], routes)
    db.rollback()  # as another request's end may do
    noted = {(each.user.name, each.name): each.last_activity for each in db.query(orm.Spawner)}
    assert noted == {("alice", ""): LATE, ("alice", "second"): EARLY, ("bob", ""): EARLY}
    assert (alice.orm_user.last_activity, bob.orm_user.last_activity) == (LATE, EARLY)


async def test_others_are_answered_in_between_and_take_nothing_back(db: Session) -> None:
    people = [person(db, f"p{number}", "") for number in range(2 * AT_ONCE + 1)]
    rounds = 0

    async def others() -> None:
        nonlocal rounds
        while True:
            db.rollback()
            rounds += 1
            await asyncio.sleep(0)

    meanwhile = asyncio.create_task(others())
    await asyncio.sleep(0)
    before = rounds
    await note_activity(db, people, [route(each.name, "", "2026-11-23T10:00:00Z") for each in people])
    meanwhile.cancel()
    assert rounds >= before + 2
    assert {each.last_activity for each in db.query(orm.User)} == {LATE}
