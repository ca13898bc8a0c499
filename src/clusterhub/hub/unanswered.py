"""What the proxy shows in the place of a session that does not answer, and how the hub hears of it."""

from __future__ import annotations

import re
from urllib.parse import unquote

from jupyterhub.handlers.pages import ProxyErrorHandler

from clusterhub.spawner.spawner import ClusterSpawner

PATH = "/clusterhub/error"
"""Below the hub's prefix. JupyterHub's own is /error, and its handlers go before ours."""

UNANSWERED = "503"

_SESSION = re.compile(r"/user/([^/?]+)")


def person_of(url: str) -> str:
    """Whose session the address leads to; empty where it is no session's."""
    found = _SESSION.search(url)
    return unquote(found[1]) if found else ""


class UnansweredHandler(ProxyErrorHandler):
    """``GET /hub/clusterhub/error/503?url=...``: the proxy asks for a page, as it could not reach the target.

    Anybody can ask for it, so it tells nothing of the session, and costs no more than one connection.
    """

    async def get(self, status_code: str) -> None:
        """The page tries again by itself; by then the hub knows whether the session can be reached."""
        person = person_of(self.get_argument("url", ""))
        user = self.find_user(person) if person else None
        if user is None or status_code != UNANSWERED:
            await super().get(status_code)
            return
        for spawner in user.spawners.values():
            if isinstance(spawner, ClusterSpawner):
                spawner.following.doubt()
        self.set_header("Content-Type", "text/html")
        self.write(await self.render_template("unanswered.html"))


HANDLERS = [(rf"{PATH}/(\d+)", UnansweredHandler)]
