"""Starts that the hub's end interrupted are gone on with when it is back, without a click.

The job may be waiting in the queue, may just have started, or may never have been submitted: the start looks
for it by its tag first, so that there is one job in the end.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from typing import Any

import aiohttp

log = logging.getLogger("clusterhub")

SERVICE = "clusterhub"
"""The name by which the hub knows itself when it asks itself for a start."""

PAUSE = 0.2
"""Seconds between two tries while the hub's own API does not answer yet."""

PATIENCE = 120.0
"""Seconds that it is tried for."""


class Resumption:
    """Asks the hub, through its own REST API, for the starts that were interrupted."""

    def __init__(self, api_url: str) -> None:
        self.api_url = api_url
        self.token = secrets.token_hex(32)
        self._tasks: set[asyncio.Task[None]] = set()

    def service(self) -> Mapping[str, Any]:
        """The service of JupyterHub's configuration that it is."""
        return {"name": SERVICE, "api_token": self.token}

    def role(self) -> Mapping[str, Any]:
        """What it may do."""
        return {"name": f"{SERVICE}-resumption", "scopes": ["servers"], "services": [SERVICE]}

    def add(self, person: str, server: str) -> None:
        """Go on with the start of that server as soon as the hub can. Needs a running loop."""
        task = asyncio.get_running_loop().create_task(self._start(person, server))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, person: str, server: str) -> None:
        url = f"{self.api_url}/users/{person}/servers/{server}"
        headers = {"Authorization": f"token {self.token}"}
        try:
            async with aiohttp.ClientSession(headers=headers) as http:
                await asyncio.wait_for(_until_taken(http, url), PATIENCE)
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            log.warning("The start of %s's server %r is not gone on with: %s", person, server, error)
        else:
            log.info("Going on with the start of %s's server %r", person, server)


async def _until_taken(http: aiohttp.ClientSession, url: str) -> None:
    while True:
        try:
            async with http.post(url) as answer:
                if answer.status not in (502, 503):
                    answer.raise_for_status()
                    return
        except aiohttp.ClientConnectionError:
            pass  # the hub reads its database before it listens
        await asyncio.sleep(PAUSE)
