"""Stop without JavaScript: asked for by a page, done by a form, and only by whoever may stop that server.

Without `needs_scope` anybody who is logged in could stop anybody's session.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.scopes import parse_scopes
from tornado.web import HTTPError

from clusterhub.audit.events import StopAsked
from clusterhub.hub import stop_page
from clusterhub.hub.audited import Answered, event_of
from clusterhub.hub.stop_page import StopHandler


class Spawner:
    """A stand-in for a server in one state."""

    def __init__(self, pending: str | None = None, *, ready: bool = False, alive: bool = True) -> None:
        self.pending, self.ready, self.active = pending, ready, ready or pending is not None
        self._spawn_future = asyncio.get_running_loop().create_future() if pending == "spawn" else None
        self.alive = alive

    async def poll_and_notify(self) -> int | None:
        return None if self.alive else 1


def handler(spawner: Spawner, *scopes: str) -> Any:
    """A request of somebody with these scopes, and what comes of it."""
    owner = SimpleNamespace(
        name="alice",
        escaped_name="alice",
        spawners={"": spawner},
        orm_user=SimpleNamespace(orm_spawners={"": object()}),
    )
    made = SimpleNamespace(
        current_user=SimpleNamespace(name="alice"),
        expanded_scopes=set(scopes),
        parsed_scopes=parse_scopes(scopes),
        db=None,
        request=SimpleNamespace(path="/hub/clusterhub/stop/alice", method="POST"),
        hub=SimpleNamespace(base_url="/hub/"),
        find_user=lambda name: owner if name == "alice" else None,
        went_to=[],
        stopped=[],
        _home="/hub/home",
        _table="",
    )

    async def stop_single_user(user: Any, server: str) -> None:
        made.stopped.append((user.name, server))

    made.stop_single_user = stop_single_user
    made.redirect = made.went_to.append
    made._spawner = lambda user, server: StopHandler._spawner(made, user, server)
    return made


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_page, "CANCEL_SECONDS", 0)


async def test_a_start_is_cancelled_and_a_session_that_runs_is_stopped() -> None:
    starts, runs = Spawner("spawn"), Spawner(ready=True)
    for spawner in (starts, runs):
        asked = handler(spawner, "delete:servers!user=alice")
        await StopHandler.post(asked, "alice")
        assert asked.stopped == [("alice", "")]
        assert asked.went_to == ["/hub/home"]
    assert starts._spawn_future is not None
    assert starts._spawn_future.cancelled()


async def test_what_stops_already_or_is_gone_is_left_alone() -> None:
    for spawner in (Spawner("stop"), Spawner(), Spawner(ready=True, alive=False)):
        asked = handler(spawner, "delete:servers")
        await StopHandler.post(asked, "alice")
        assert asked.stopped == []
        assert asked.went_to == ["/hub/home"]


@pytest.mark.parametrize("scopes", [[], ["delete:servers!user=bob"], ["read:servers"]])
async def test_nobody_else_may_and_nobody_learns_whose_there_are(scopes: list[str]) -> None:
    for name in ("alice", "nobody"):
        asked = handler(Spawner(ready=True), *scopes)
        with pytest.raises(HTTPError) as refused:
            await StopHandler.post(asked, name)
        assert refused.value.status_code in (403, 404)
        assert asked.stopped == []


def test_it_is_in_the_audit_log_as_a_stop_is() -> None:
    event = event_of(Answered("POST", "clusterhub/stop/alice/second", b"", "bob", 302))
    assert isinstance(event, StopAsked)
    assert (event.who, event.person, event.server) == ("bob", "alice", "second")
    assert event_of(Answered("GET", "clusterhub/stop/alice", b"", "alice", 200)) is None
