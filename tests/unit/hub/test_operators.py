"""Who is an operator follows site.toml and the groups; what nobody can tell changes nothing.

Where the look is not shared, one of two requests that come in together goes on without its roles. Where a
directory that is away counts as one that says no, operators lose their role with it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm, roles
from jupyterhub.scopes import get_scopes_for

from clusterhub.audit.events import Event
from clusterhub.hub.operators import ENTER, ENTRY, INTERVAL, OPERATOR, SCOPES, Operators, without_entry


@pytest.fixture
def db() -> Any:
    """JupyterHub's database, in memory, with its own roles and ours."""
    session = orm.new_session_factory("sqlite:///:memory:")()
    for role in (*roles.get_default_roles(), *({"name": n, "scopes": list(s)} for n, s in SCOPES.items())):
        roles.create_role(session, role)
    session.add(orm.OAuthClient(identifier="jupyterhub"))  # of tokens that are made by request
    session.commit()
    return session


class World:
    """A hub with `alice`, and a directory that says which groups she is in."""

    def __init__(self, db: Any) -> None:
        self.now = 0.0
        self.groups: Callable[[str], Collection[str]] = lambda _name: ()
        self.asked = 0
        self.noted: list[Event] = []
        orm_user = orm.User(name="alice")
        db.add(orm_user)
        db.commit()
        roles.assign_default_roles(db, orm_user)
        self.alice: Any = SimpleNamespace(name="alice", orm_user=orm_user, db=db)
        hub = SimpleNamespace(admins=("@hpc-staff",), may_enter=("@hpc-support",))
        self.operators = Operators(
            SimpleNamespace(hub=hub),  # type: ignore[arg-type]
            SimpleNamespace(note=self.noted.append),  # type: ignore[arg-type]
            self._groups,
            lambda: self.now,
        )

    def _groups(self, name: str) -> Collection[str]:
        self.asked += 1
        return self.groups(name)

    def in_groups(self, *groups: str) -> None:
        self.groups = lambda _name: groups

    async def follow(self) -> set[str]:
        await self.operators.follow(self.alice)
        return {role.name for role in self.alice.orm_user.roles} - {"user"}


@pytest.fixture
def world(db: Any) -> World:
    return World(db)


async def test_roles_are_given_and_taken_as_the_groups_say_and_noted(world: World) -> None:
    assert await world.follow() == set()
    world.in_groups("hpc-staff")
    world.now += INTERVAL
    assert await world.follow() == {OPERATOR}
    world.in_groups("hpc-support")
    world.now += INTERVAL
    assert await world.follow() == {ENTRY}
    assert [(event.name, event.person) for event in world.noted] == [
        ("right given", "alice"),
        ("right taken", "alice"),
        ("right given", "alice"),
    ]


async def test_a_login_is_looked_at_at_once_and_other_requests_after_a_while(world: World) -> None:
    await world.follow()
    world.in_groups("hpc-staff")
    assert await world.follow() == set()
    world.operators.forget("alice")
    assert await world.follow() == {OPERATOR}
    assert world.asked == 2


async def test_requests_that_come_in_together_wait_for_one_answer(world: World) -> None:
    answer = threading.Event()

    def slowly(_name: str) -> Collection[str]:
        assert answer.wait(10)
        return ("hpc-staff",)

    world.groups = slowly
    both = [asyncio.create_task(world.follow()) for _ in range(2)]
    done, _ = await asyncio.wait(both, timeout=0.05)
    assert not done
    answer.set()
    assert await asyncio.gather(*both) == [{OPERATOR}, {OPERATOR}]
    assert world.asked == 1


async def test_a_directory_that_is_away_changes_nothing(world: World) -> None:
    world.in_groups("hpc-staff")
    assert await world.follow() == {OPERATOR}

    def away(_name: str) -> Collection[str]:
        raise OSError("no answer")

    world.groups = away
    world.now += INTERVAL
    assert await world.follow() == {OPERATOR}
    world.in_groups()
    assert await world.follow() == set()


def token_for(db: Any, user: orm.User, scopes: list[str] | None = None) -> orm.APIToken:
    return orm.APIToken.find(db, user.new_api_token(scopes=scopes))  # type: ignore[no-any-return]


async def test_no_token_has_part_in_the_right_to_enter_but_a_servers_own(world: World, db: Any) -> None:
    world.in_groups("hpc-support")
    await world.follow()
    alice = world.alice.orm_user
    by_cookie = get_scopes_for(alice)
    assert ENTER in without_entry(None, by_cookie)
    for asked in (None, [ENTER], [f"{ENTER}!server=bob/"], [f"{ENTER}!user=bob"]):
        token = token_for(db, alice, asked)
        assert not [
            each
            for each in without_entry(token, get_scopes_for(token))
            if each.startswith(ENTER) and "alice" not in each
        ]
    own = token_for(db, alice)
    assert f"{ENTER}!user=alice" in without_entry(own, get_scopes_for(own))
    own.oauth_client = orm.OAuthClient(identifier="jupyterhub-user-bob", spawner=orm.Spawner(name=""))
    granted = frozenset({f"{ENTER}!server=bob/"})
    assert without_entry(own, granted) == granted


async def test_a_full_admins_tokens_are_as_the_site_has_made_them(world: World, db: Any) -> None:
    world.in_groups("hpc-support")
    await world.follow()
    roles.grant_role(db, world.alice.orm_user, orm.Role.find(db, "admin"))
    token = token_for(db, world.alice.orm_user)
    assert ENTER in without_entry(token, get_scopes_for(token))
