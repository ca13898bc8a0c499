"""Who goes next where only a few may go at a time. Nothing of the helper's in here: order alone."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Rank(IntEnum):
    """What goes before what. It is short, or has come far already, that goes first."""

    END = 0
    """To end or to signal a job: short, and whoever waits for it wants the resources back."""
    START = 1
    """To submit a job."""
    LOOK = 2
    """To look: at an account, which is how a start begins, or at a log."""


@dataclass(frozen=True, eq=False)
class _Wait:
    """Somebody who waits."""

    admitted: asyncio.Future[None]
    task: asyncio.Task[Any] | None


class Turns:
    """Lets ``at_once`` in: by rank, and within a rank by person in the order of their first arrival.

    Who waits for several turns gets one, and the next when everybody who waits has had one: nobody's many
    starts keep others from theirs. The last free place is kept for `Rank.END`.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._inside = 0
        self._waiting: dict[Rank, OrderedDict[str, deque[_Wait]]] = {rank: OrderedDict() for rank in Rank}

    @asynccontextmanager
    async def turn(self, person: str, rank: Rank) -> AsyncIterator[None]:
        """Waits for a turn of that person's, which lasts while this holds."""
        await self._wait(person, rank)
        try:
            yield
        finally:
            self._inside -= 1
            self._admit()

    def ahead(self, task: asyncio.Task[Any]) -> int:
        """How many of its rank go before the one that this task waits for; 0 where it waits for none."""
        for waiting in self._waiting.values():
            for number, (person, waits) in enumerate(waiting.items()):
                own = next((place for place, wait in enumerate(waits) if wait.task is task), None)
                if own is not None:
                    others = enumerate(waits for other, waits in waiting.items() if other != person)
                    return own + sum(min(len(waits), own + (place < number)) for place, waits in others)
        return 0

    async def _wait(self, person: str, rank: Rank) -> None:
        wait = _Wait(asyncio.get_running_loop().create_future(), asyncio.current_task())
        self._waiting[rank].setdefault(person, deque()).append(wait)
        self._admit()
        try:
            await wait.admitted
        except asyncio.CancelledError:
            if wait.admitted.done() and not wait.admitted.cancelled():  # its turn had come in the same moment
                self._inside -= 1
            else:
                self._leave(person, rank, wait)
            self._admit()
            raise

    def _leave(self, person: str, rank: Rank, wait: _Wait) -> None:
        waiting = self._waiting[rank]
        waiting[person].remove(wait)
        if not waiting[person]:
            del waiting[person]

    def _admit(self) -> None:
        """Lets in whoever may go now."""
        for rank, waiting in self._waiting.items():
            places = self.at_once if rank is Rank.END else max(self.at_once - 1, 1)
            while waiting and self._inside < places:
                person, waits = next(iter(waiting.items()))
                self._inside += 1
                waits.popleft().admitted.set_result(None)
                if waits:
                    waiting.move_to_end(person)
                else:
                    del waiting[person]
