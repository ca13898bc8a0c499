"""Who goes next where anybody may ask and few can be served at a time: the newest, so that a flood drowns
nobody but itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Overtaken(Exception):
    """So many came later that this one is told to come again."""


class NewestFirst:
    """Lets ``at_once`` in. The newest who waits goes next; of more than ``waiting`` the oldest leaves.

    In order of arrival, whoever comes behind a flood waits for all of it, again and again. This way everybody
    is served at once with the same chance, and has another with each try.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._free = at_once
        self._most = waiting
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn, which lasts while this holds. Raises Overtaken."""
        if self._free:
            self._free -= 1
        else:
            await self._wait()
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        if len(self._waiting) > self._most:
            self._waiting.popleft().set_exception(Overtaken())
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                self._pass_on()  # its turn had come in the same moment
            elif mine in self._waiting:
                self._waiting.remove(mine)
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            newest = self._waiting.pop()
            if not newest.done():
                newest.set_result(None)
                return
        self._free += 1
