"""The operators' table of sessions: its page, the endpoint that keeps it current, and messages to people."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import url_concat
from tornado.web import HTTPError

from clusterhub.hub.overview import COLUMNS, Overview, Row, showing, sorted_by
from clusterhub.languages.text import _
from clusterhub.spawner.clusters import SETTING, Clusters
from clusterhub.spawner.operator_messages import LONGEST

OVERVIEW = "clusterhub_overview"
"""Where the hub's web application keeps its `Overview`."""


def rows_for(handler: Any) -> tuple[Row, ...]:
    """All sessions, as that request may see them."""
    overview: Overview = handler.settings[OVERVIEW]
    return overview.rows(handler.db, list(handler.users.values()))


class SessionsPage(BaseHandler):
    """``GET /hub/clusterhub/sessions?show=...&sort=...``: the table."""

    @web.authenticated
    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]  # JupyterHub has no type hints
    @needs_scope("read:servers")  # type: ignore[untyped-decorator]  # as above
    async def get(self) -> None:
        """Sorted and filtered on the server, too: then it takes no JavaScript."""
        show, order = self.get_query_argument("show", ""), self.get_query_argument("sort", "person")
        rows = rows_for(self)
        self.set_header("Cache-Control", "no-store")
        self.finish(
            await self.render_template(
                "clusterhub_sessions.html",
                columns=COLUMNS,
                rows=sorted_by(showing(rows, show), order),
                total=len(rows),
                show=show,
                order=order,
                sent_to=self.get_query_argument("sent", ""),
            )
        )


class SessionsHandler(APIHandler):
    """``GET /hub/api/clusterhub/sessions``: the same for programs, and for the page itself."""

    @needs_scope("read:servers")  # type: ignore[untyped-decorator]  # as above
    def get(self) -> None:
        """Answers what `clusterhub.hub.overview.Row.as_json` says of each session."""
        self.set_header("Cache-Control", "no-store")
        self.write(json.dumps({"sessions": [row.as_json() for row in rows_for(self)]}))


class MessageHandler(BaseHandler):
    """``/hub/clusterhub/message/{user}``: the form of a message, and its sending.

    Who may stop a person's sessions may say why.
    """

    @web.authenticated
    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]  # as above
    async def get(self, user_name: str) -> None:
        """The form."""
        self._check(user_name)
        self.finish(await self.render_template("clusterhub_message.html", person=user_name, longest=LONGEST))

    @web.authenticated
    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]  # as above
    async def post(self, user_name: str) -> None:
        """Shows it to the person from now on."""
        self._check(user_name)
        clusters: Clusters = self.settings[SETTING]
        if not clusters.messages.send(user_name, self.get_body_argument("text", "")):
            raise HTTPError(400, _("There is no text in the message."))
        table = url_path_join(self.hub.base_url, "clusterhub", "sessions")
        self.redirect(url_concat(table, {"sent": user_name}))

    def _check(self, user_name: str) -> None:
        if self.find_user(user_name) is None:
            raise HTTPError(404, _("There is no such person."))


HANDLERS = [
    (r"/clusterhub/sessions", SessionsPage),
    (r"/clusterhub/message/([^/]+)", MessageHandler),
    (r"/api/clusterhub/sessions", SessionsHandler),
]
