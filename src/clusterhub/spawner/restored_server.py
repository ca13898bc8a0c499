"""The address of a session from before a restart of the hub, in the form in which JupyterHub keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyterhub import __version__, orm
from jupyterhub.objects import Server


@dataclass(frozen=True)
class TakenForUp:
    """In the place of a session's answer."""

    headers: Mapping[str, str]


class RestoredServer(Server):
    """Is taken to be up, as the scheduler says that its job lives.

    JupyterHub 6 ends a session that does not answer for a while after a restart of the hub (``check_spawner``
    of its app.py), and with it the job: one that is suspended, or whose node cannot be reached just now.
    """

    @classmethod
    def at(cls, endpoint: str, kept: orm.Server) -> RestoredServer:
        """The session at that URL, which ``kept`` says from now on, too.

        It does not where the hub was stopped before JupyterHub had noted what the start returned.
        JupyterHub 6 mends host and port, and not the scheme (``check_spawner``, again).
        """
        server: RestoredServer = cls(orm_server=kept)
        server.bind_url = endpoint
        return server

    async def wait_up(self, *_: Any, **__: Any) -> TakenForUp:
        """Does not wait. Which version of JupyterHub the session has is not known, so none is doubted."""
        return TakenForUp({"X-JupyterHub-Version": __version__})
