"""The hub's own REST API, asked by clusterhub itself: as a service of JupyterHub with two rights."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from clusterhub.errors import ClusterhubError
from clusterhub.site.schema import Site
from clusterhub.spawner.certificates import Certificates
from clusterhub.spawner.secret_files import ensure_secret

NAME = "clusterhub"

SCOPES = ("servers", "proxy")
"""To go on with a start that was interrupted, to stop sessions of disabled accounts, and to have the proxy's
routes checked."""

PAUSE = 0.2
LONGEST_PAUSE = 5.0
"""Seconds between two tries while the hub does not answer, growing from the one to the other."""

PATIENCE = 120.0
"""Seconds that it is tried for, from the moment when the hub is there, and its database."""

AWAY = (502, 503)
NOT_NOW = 400
"""JupyterHub's answer to a start while the former server is still being stopped."""


class OwnApi:
    """How `clusterhub up` and the hub that it runs ask that hub."""

    def __init__(self, site: Site) -> None:
        self.url = f"{site.hub.internal_url}{site.hub.prefix}hub/api"
        self.token = ensure_secret(site.hub.state_directory / "own_token")
        self._certificates = Certificates.of(site)

    def service(self) -> Mapping[str, Any]:
        """The service of JupyterHub's configuration that we are."""
        return {"name": NAME, "api_token": self.token}

    def role(self) -> Mapping[str, Any]:
        """What we may do."""
        return {"name": f"{NAME}-itself", "scopes": list(SCOPES), "services": [NAME]}

    async def post(self, path: str) -> None:
        """Sends the request as soon as the hub takes it. Raises ClusterhubError where it does not."""
        await self._send("POST", path)

    async def delete(self, path: str) -> None:
        """As `post`."""
        await self._send("DELETE", path)

    async def _send(self, method: str, path: str) -> None:
        headers = {"Authorization": f"token {self.token}"}
        ssl = self._certificates.to_hub() if self._certificates is not None else True
        try:
            async with aiohttp.ClientSession(
                headers=headers, connector=aiohttp.TCPConnector(ssl=ssl)
            ) as http:
                await _until_taken(http, method, self.url + path)
        except aiohttp.ClientError as error:
            raise ClusterhubError(
                f"The hub did not take a request of its own: {error}.", where=path
            ) from None


async def _until_taken(http: aiohttp.ClientSession, method: str, url: str) -> None:
    pause, deadline = PAUSE, time.monotonic() + PATIENCE
    while True:
        try:
            async with http.request(method, url) as answer:
                if answer.status in AWAY:
                    deadline = time.monotonic() + PATIENCE
                elif answer.status != NOT_NOW or time.monotonic() > deadline:
                    answer.raise_for_status()
                    return
        except (aiohttp.ClientConnectionError, asyncio.TimeoutError):
            deadline = time.monotonic() + PATIENCE  # it reads its database before it listens
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
