"""Who presses Start comes in one after the other, with room between for everything else.

What JupyterHub does for one start keeps its loop busy for some hundredths of a second. Two hundred that come
in together would all be begun at once, and whoever asks the hub for anything would wait until that is done:
seconds (`scripts/bench storm`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jupyterhub import apihandlers, handlers
from jupyterhub.apihandlers.users import UserServerAPIHandler
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.pages import SpawnHandler, SpawnPendingHandler
from tornado.web import RequestHandler

from clusterhub.hub.links import START, may_start, within
from clusterhub.privileged.turns import Rank, Turns
from clusterhub.spawner.clusters import SETTING, Clusters

SPACING = 0.05
"""Seconds between one start and the next: a class of 200 is in within ten. A busy loop makes it longer."""


class Door:
    """Lets one in at a time, in the order of `Turns`: nobody's many starts keep others out."""

    def __init__(self, spacing: float = SPACING) -> None:
        self._spacing = spacing
        self._turns = Turns(1)
        self._held: set[asyncio.Task[None]] = set()

    async def enter(self, person: str) -> None:
        """Returns when it is this person's turn: at once where nobody else has just come in."""
        entered = asyncio.Event()
        task = asyncio.create_task(self._hold(person, entered))
        self._held.add(task)
        task.add_done_callback(self._held.discard)
        await entered.wait()

    async def _hold(self, person: str, entered: asyncio.Event) -> None:
        async with self._turns.turn(person, Rank.START):
            entered.set()
            await asyncio.sleep(self._spacing)


_door = Door()
_reading = asyncio.Lock()


class BehindDoor(RequestHandler):
    """What JupyterHub's handlers of starts get in front of them."""

    async def prepare(self) -> None:
        """Who asks is read of one after the other as well: that takes its time. A stranger stops there."""
        if self.request.method != "POST":
            await super().prepare()  # type: ignore[misc]  # JupyterHub's is a coroutine, Tornado's may be one
            return
        async with _reading:
            await super().prepare()  # type: ignore[misc]  # as above
        if self.current_user is not None:
            await _door.enter(self.current_user.name)


class StartByApi(BehindDoor, UserServerAPIHandler):
    """``POST /hub/api/users/{user}/server``, and of a named server."""


class WithinServer(BaseHandler):
    """What JupyterHub's pages of a start get in front of them: ``next`` leads into the person's own server.

    JupyterHub's own lets it lead anywhere on the hub's domain, such as into another person's server.
    """

    def _validate_next_url(self, next_url: str) -> str:
        """Called by JupyterHub with what the link says; it goes to the server as such where this is empty."""
        person, server = ([*self.path_args, None, None])[:2]
        user = self.find_user(person) if person else self.current_user
        if user is None or not next_url:
            return ""
        return within(next_url, user.server_url(server or ""), self.hub.base_url)


class StartByPage(BehindDoor, WithinServer, SpawnHandler):
    """The start page's form, and links that say what to start: they fill the form in, and a person sends it.

    JupyterHub's own starts at once, and anybody can lead somebody's browser to a link.
    """

    linked: Mapping[str, Any] = MappingProxyType({})
    """What the link says, still hostile."""

    def _get_user_options(self, query_options: dict[str, Any]) -> dict[str, Any]:
        """Called by JupyterHub for what to start at once: nothing, unless the operator lets links start."""
        asked = query_options.pop(START, None)
        self.linked = super()._get_user_options(query_options)
        clusters: Clusters = self.settings[SETTING]
        starts = may_start(clusters.site.hub.links_may_start, self.request.headers, asked)
        return dict(self.linked) if starts else {}


class WaitWithin(WithinServer, SpawnPendingHandler):
    """The waiting page, which leads to the server, or to where in it the link asked to be led."""


BEHIND_DOOR: dict[type, type] = {
    UserServerAPIHandler: StartByApi,
    SpawnHandler: StartByPage,
    SpawnPendingHandler: WaitWithin,
}


def put_up() -> None:
    """JupyterHub's handlers of starts are behind the door from now on; to be called before it reads them."""
    for routes in (apihandlers.default_handlers, handlers.default_handlers):
        routes[:] = [_behind_door(route) for route in routes]


def _behind_door(route: tuple[Any, ...]) -> tuple[Any, ...]:
    path, handler, *rest = route
    return (path, BEHIND_DOOR.get(handler, handler), *rest)
