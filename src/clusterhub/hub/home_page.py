"""The home page's handlers besides JupyterHub's: further servers, restart, a job's log, messages read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.slugs import is_valid_display_name, safe_slug
from jupyterhub.utils import url_escape_path, url_path_join
from tornado import web
from tornado.httputil import url_concat
from tornado.web import HTTPError

from clusterhub.errors import ClusterhubError
from clusterhub.hub.home import Card, Past, card_of, idle, past_of
from clusterhub.hub.resumption import Resumption
from clusterhub.hub.sessions import state_of
from clusterhub.languages.text import _
from clusterhub.spawner.clusters import SETTING, Clusters
from clusterhub.spawner.job_request import SessionPaths

RESUMPTION = "clusterhub_resumption"
"""Where the hub's web application keeps its `Resumption`."""

LOG_BYTES = 65536
"""Of a log's end that the page shows."""

LONGEST_NAME = 60
"""Characters of a further server's name."""

_STOPPING: set[asyncio.Task[None]] = set()
"""Restarts that wait for the end of what was; held, so that the loop keeps them."""


class HomeView:
    """What the template asks for."""

    def __init__(self, clusters: Clusters, user: Any) -> None:
        self._clusters, self._user = clusters, user

    @property
    def cards(self) -> Iterator[Card]:
        """The default server's first, then those with names."""
        for spawner in self._user.all_spawners():
            state = state_of(self._user, spawner.name)
            yield (
                card_of(self._clusters.site, spawner, state) if hasattr(spawner, "pending") else idle(spawner)
            )

    @property
    def recent(self) -> list[Past]:
        """The sessions that ended last."""
        return [past_of(self._clusters.site, each) for each in self._clusters.endings.recent(self._user.name)]


class OwnPage(BaseHandler):
    """Of one server of somebody's, by the path's names."""

    @property
    def clusters(self) -> Clusters:
        """What the hub holds for its clusters."""
        clusters: Clusters = self.settings[SETTING]
        return clusters

    def server_of(self, user_name: str, server_name: str) -> tuple[Any, Any]:
        """JupyterHub's user and spawner. Raises HTTPError."""
        user = self.find_user(user_name)
        if user is None or (server_name and server_name not in user.orm_user.orm_spawners):
            raise HTTPError(404, _("There is no such session."))
        return user, user.spawners[server_name]

    def own_server(self, user_name: str, server_name: str) -> tuple[Any, Any]:
        """The same, of nobody else's. Raises HTTPError."""
        if user_name != self.current_user.name:
            raise HTTPError(404, _("There is no such session."))
        return self.server_of(user_name, server_name)

    def go_home(self) -> None:
        """To the page that shows what has become of it."""
        self.redirect(url_path_join(self.hub.base_url, "home"))


class RestartHandler(OwnPage):
    """``POST /hub/clusterhub/restart/{user}[/{server}]``: stops it, and starts it with the same choice."""

    @web.authenticated
    @needs_scope("servers")  # type: ignore[untyped-decorator]  # JupyterHub has no type hints
    async def post(self, user_name: str, server_name: str = "") -> None:
        """Returns once the stop has been asked for; the start follows when it is over."""
        user, spawner = self.server_of(user_name, server_name)
        if spawner.ready and await spawner.poll_and_notify() is None:
            await self.stop_single_user(user, server_name)
        elif spawner.pending != "stop":
            raise HTTPError(409, _("This session does not run now, so it cannot be restarted."))
        task = asyncio.create_task(
            _start_after(spawner._stop_future, self.settings[RESUMPTION], user, server_name)
        )
        _STOPPING.add(task)
        task.add_done_callback(_STOPPING.discard)
        self.go_home()


async def _start_after(stop: Any, resumption: Resumption, user: Any, server: str) -> None:
    if stop is not None:
        await asyncio.wait({stop})
    resumption.add(user.escaped_name, server)


class RemoveHandler(OwnPage):
    """``POST /hub/clusterhub/remove/{user}/{server}``: forgets a further server that does not run."""

    @web.authenticated
    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]  # as above
    async def post(self, user_name: str, server_name: str) -> None:
        """As JupyterHub's API does it with ``remove``."""
        user, spawner = self.server_of(user_name, server_name)
        if spawner.active:
            raise HTTPError(409, _("This session runs. Stop it first."))
        await user._delete_spawner(spawner)
        self.db.delete(spawner.orm_spawner)
        user.spawners.pop(server_name, None)
        self.db.commit()
        self.go_home()


class FurtherHandler(OwnPage):
    """``GET /hub/clusterhub/further?name=...``: leads to the start page of a further server of that name."""

    @web.authenticated
    async def get(self) -> None:
        """Changes nothing: the start page's form does."""
        name = " ".join(self.get_query_argument("name", "").split())[:LONGEST_NAME]
        if not name or not name.isprintable():
            raise HTTPError(400, _("A further session needs a name."))
        user = self.current_user
        slug = name if name in user.orm_user.orm_spawners else safe_slug(name)
        if not is_valid_display_name(name):
            raise HTTPError(400, _("A session cannot have that name."))
        start = url_path_join(self.hub.base_url, "spawn", user.escaped_name, url_escape_path(slug))
        self.redirect(url_concat(start, {"display_name": name}))


class LogHandler(OwnPage):
    """``GET /hub/clusterhub/log/{user}[/{server}]?job=...``: the end of a job's log, to its person only."""

    @web.authenticated
    async def get(self, user_name: str, server_name: str = "") -> None:
        """Reads it as the person. Without ``job`` it is that of the job that runs."""
        spawner = self.own_server(user_name, server_name)[1]
        job = self.get_query_argument("job", "") or spawner.job_id
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", job):
            raise HTTPError(404, _("There is no such job."))
        paths = SessionPaths.of(self.clusters.site, self.clusters.tag(user_name, server_name))
        name = paths.log_name(job)
        problem, text = "", ""
        try:
            text = await self.clusters.broker.read_log(user_name, name, LOG_BYTES)
        except ClusterhubError as error:
            problem = str(error)
        self.set_header("Cache-Control", "no-store")
        self.finish(
            await self.render_template(
                "clusterhub_log.html",
                server_name=server_name,
                job=job,
                text=text,
                is_cut=len(text.encode(errors="replace")) >= LOG_BYTES,
                path=f"{paths.directory}/{name}",
                problem=problem,
            )
        )


class ReadHandler(OwnPage):
    """``POST /hub/clusterhub/read``: the person has read a message of the operators'."""

    @web.authenticated
    async def post(self) -> None:
        """It is not shown any more."""
        self.clusters.messages.dismiss(self.current_user.name, self.get_body_argument("message", ""))
        self.go_home()


HANDLERS = [
    (r"/clusterhub/restart/([^/]+)", RestartHandler),
    (r"/clusterhub/restart/([^/]+)/([^/]+)", RestartHandler),
    (r"/clusterhub/remove/([^/]+)/([^/]+)", RemoveHandler),
    (r"/clusterhub/further", FurtherHandler),
    (r"/clusterhub/log/([^/]+)", LogHandler),
    (r"/clusterhub/log/([^/]+)/([^/]+)", LogHandler),
    (r"/clusterhub/read", ReadHandler),
]
