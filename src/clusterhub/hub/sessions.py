"""How sessions are now: the REST API's answer."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from clusterhub.spawner.session_state import SessionState


class SessionHandler(APIHandler):
    """``GET /hub/api/clusterhub/sessions/{user}`` and ``.../{user}/{server}``: how the session is now."""

    @needs_scope("read:servers")  # type: ignore[untyped-decorator]  # JupyterHub has no type hints
    def get(self, user_name: str, server_name: str = "") -> None:
        """Answers what `clusterhub.spawner.session_state.SessionState.as_json` says; 404 where there is none.

        It is what the hub last saw: the scheduler is not asked.
        """
        user = self.find_user(user_name)
        state = state_of(user, server_name) if user is not None else None
        if state is None:
            name = f"the server {server_name}" if server_name else "the default server"
            raise HTTPError(404, f"No session of {user_name} runs or starts: {name}.".replace("%", "%%"))
        self.set_header("Cache-Control", "no-store")
        self.write(json.dumps(state.as_json()))


HANDLERS = [
    (r"/api/clusterhub/sessions/([^/]+)", SessionHandler),
    (r"/api/clusterhub/sessions/([^/]+)/([^/]*)", SessionHandler),
]


def state_of(user: Any, server: str) -> SessionState | None:
    """How the session of a JupyterHub user's server is now; None where none runs or starts."""
    if server not in user.spawners or not user.spawners[server].active:
        return None
    state: SessionState | None = user.spawners[server].session_state
    return state
