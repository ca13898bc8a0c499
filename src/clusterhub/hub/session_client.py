"""How the hub itself asks sessions: by the address in their name, and only once they have proved to be it."""

from __future__ import annotations

import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from jupyterhub.httpclient import JupyterHubHTTPClient
from traitlets.config import Configurable

from clusterhub.tls.names import address_in


class SessionResolver(AbstractResolver):
    """Knows the names of sessions, and asks the system for all others."""

    def __init__(self) -> None:
        self._others = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Where to connect to for that host. Raises OSError."""
        address = address_in(host)
        if address is None:
            return await self._others.resolve(host, port, family)
        found = socket.AF_INET6 if ":" in address else socket.AF_INET
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [ResolveResult(hostname=host, host=address, port=port, family=found, proto=0, flags=flags)]

    async def close(self) -> None:
        """Nothing is held."""


class SessionClient(JupyterHubHTTPClient):
    """What JupyterHub asks with. Sessions are known by the hub's authority, all others as usual."""

    context: ssl.SSLContext

    @classmethod
    def put_up(cls, context: ssl.SSLContext, parent: Configurable) -> None:
        """JupyterHub asks with this one from now on. Needs a running loop."""
        JupyterHubHTTPClient.clear_instance()
        client = cls.instance(parent=parent, _internal_connector_options={"resolver": SessionResolver()})
        client.context = context

    async def fetch(self, url: str, **keywords: Any) -> Any:
        """As JupyterHub's."""
        if address_in(urlsplit(url).hostname or "") is not None:
            keywords["ssl"] = self.context
        return await super().fetch(url, **keywords)
