"""Stop a session without JavaScript: a page that asks, and a form that does it."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import url_escape_path, url_path_join
from tornado import web
from tornado.web import HTTPError

from clusterhub.errors import Explanation
from clusterhub.languages.text import _
from clusterhub.spawner.clusters import SETTING, Clusters

BY_OPERATOR = Explanation(
    _("An operator stopped your session."),
    next=_("Ask your operators why, or start it again; your files are as you saved them."),
)

CANCEL_SECONDS = 1.0
"""For a start that is cancelled to come to its end, as JupyterHub's own API gives it."""


class StopHandler(BaseHandler):
    """``GET`` asks, ``POST`` stops: ``/hub/clusterhub/stop/{user}`` and ``.../{user}/{server}``."""

    @web.authenticated
    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]  # nor has JupyterHub
    async def get(self, user_name: str, server_name: str = "") -> None:
        """Whether it is really meant; back home where there is nothing to stop."""
        user, spawner = self._spawner(user_name, server_name)
        if not spawner.active:
            self.redirect(self._table or self._home)
            return
        where = "spawn-pending" if spawner.pending else "home"
        names = [user.escaped_name, url_escape_path(server_name)] if spawner.pending else []
        self.finish(
            await self.render_template(
                "clusterhub_stop.html",
                owner=user,
                server_name=server_name,
                action=self.request.path,
                back=self._table or url_path_join(self.hub.base_url, where, *names),
                from_table=bool(self._table),
            )
        )

    @web.authenticated
    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]  # as above
    async def post(self, user_name: str, server_name: str = "") -> None:
        """Stops it, waiting or running, as JupyterHub's API does."""
        user, spawner = self._spawner(user_name, server_name)
        if self.current_user.name != user.name:
            clusters: Clusters = self.settings[SETTING]
            clusters.endings.explain_stop(clusters.tag(user.name, server_name), BY_OPERATOR)
        if spawner.pending == "spawn":
            if spawner._spawn_future is not None:
                spawner._spawn_future.cancel()
            await asyncio.sleep(CANCEL_SECONDS)
            await self.stop_single_user(user, server_name)
        elif spawner.ready and await spawner.poll_and_notify() is None:
            await self.stop_single_user(user, server_name)
        self.redirect(self._table or self._home)

    @property
    def _table(self) -> str:
        """Where operators came from; empty for whoever came from another page."""
        came = self.get_argument("back", "") == "sessions"
        return str(url_path_join(self.hub.base_url, "clusterhub", "sessions")) if came else ""

    def _spawner(self, user_name: str, server_name: str) -> tuple[Any, Any]:
        user = self.find_user(user_name)
        if user is None or (server_name and server_name not in user.orm_user.orm_spawners):
            raise HTTPError(404, "There is no such session.")
        return user, user.spawners[server_name]

    @property
    def _home(self) -> str:
        return str(url_path_join(self.hub.base_url, "home"))


HANDLERS = [
    (r"/clusterhub/stop/([^/]+)", StopHandler),
    (r"/clusterhub/stop/([^/]+)/([^/]+)", StopHandler),
]
