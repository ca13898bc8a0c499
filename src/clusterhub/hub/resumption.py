"""Starts that the hub's end interrupted are gone on with when it is back, without a click.

The job may be waiting in the queue, may just have started, or may never have been submitted: the start looks
for it by its tag first, so that there is one job in the end.
"""

from __future__ import annotations

import asyncio
import logging

from clusterhub.errors import ClusterhubError
from clusterhub.hub.own_api import OwnApi

log = logging.getLogger("clusterhub")


class Resumption:
    """Asks the hub, through its own REST API, for the starts that were interrupted."""

    def __init__(self, api: OwnApi) -> None:
        self._api = api
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, person: str, server: str) -> None:
        """Go on with the start of that server as soon as the hub can. Needs a running loop."""
        task = asyncio.get_running_loop().create_task(self._start(person, server))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, person: str, server: str) -> None:
        try:
            await self._api.post(f"/users/{person}/servers/{server}")
        except ClusterhubError as error:
            log.warning("The start of %s's server %r is not gone on with: %s", person, server, error)
        else:
            log.warning("Going on with the start of %s's server %r", person, server)
