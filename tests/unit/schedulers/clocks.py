"""A clock that stands until it is told to go on."""

from __future__ import annotations

import asyncio


class FakeClock:
    """Time for a watch under test: `advance` wakes whoever sleeps, in order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, woken))
        await woken

    async def settle(self) -> None:
        """Let everything run that can without time going on."""
        for _ in range(30):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        until = self.now + seconds
        await self.settle()
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= until and not sleeper[1].done()]:
            when, woken = min(due, key=lambda sleeper: sleeper[0])
            self.now = max(self.now, when)
            woken.set_result(None)
            self._sleepers.remove((when, woken))
            await self.settle()
        self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[1].done()]
        self.now = until
        await self.settle()
