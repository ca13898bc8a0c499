"""Starts come in one after the other."""

from __future__ import annotations

import asyncio

import pytest
from jupyterhub import apihandlers, handlers
from jupyterhub.apihandlers.users import SpawnProgressAPIHandler
from jupyterhub.handlers.pages import HomeHandler

from clusterhub.hub import door
from clusterhub.hub.door import Door


async def test_one_who_comes_alone_does_not_wait() -> None:
    quiet = Door(spacing=3600)
    await asyncio.wait_for(quiet.enter("alice"), 10)


async def test_others_are_let_in_one_at_a_time_and_everybody_before_anybodys_second() -> None:
    crowded = Door(spacing=0)
    came_in: list[str] = []

    async def come(name: str) -> None:
        await crowded.enter(name.rstrip("0123456789"))
        came_in.append(name)

    people = [asyncio.create_task(come(name)) for name in ("many1", "many2", "many3", "one", "other")]
    at_once = []
    while len(came_in) < len(people):
        before = len(came_in)
        await asyncio.sleep(0)
        at_once.append(len(came_in) - before)
    assert came_in == ["many1", "many2", "one", "other", "many3"]
    assert max(at_once) == 1, "the loop comes round to everything else in between"


def test_every_way_to_start_leads_through_the_door_and_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = [*apihandlers.default_handlers, *handlers.default_handlers]
    monkeypatch.setattr(apihandlers, "default_handlers", list(apihandlers.default_handlers))
    monkeypatch.setattr(handlers, "default_handlers", list(handlers.default_handlers))
    door.put_up()
    after = [*apihandlers.default_handlers, *handlers.default_handlers]
    assert [route[0] for route in after] == [route[0] for route in before]
    behind = {path for path, handler, *_ in after if issubclass(handler, door.BehindDoor)}
    assert behind == {
        "/api/users/([^/]+)/server",
        "/api/users/([^/]+)/servers/([^/]*)",
        "/spawn",
        "/spawn/([^/]+)",
        "/spawn/([^/]+)/([^/]+)",
    }
    kept = {handler for _, handler, *_ in after}
    assert {SpawnProgressAPIHandler, HomeHandler} <= kept
