"""What a person's page says of a start: a history that tells each thing once, however often it changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a start is."""

    percent: int
    words: str
    topic: str
    """What this is about. What comes next about the same takes its place in the history: a job may wait for
    a day while its position changes every minute."""


class History:
    """All that was said of a start, for whoever looks now or later."""

    def __init__(self) -> None:
        self._told: list[Progress] = []
        self._noted = asyncio.Event()

    def note(self, progress: Progress) -> None:
        """Adds what is new, or puts it in the place of what was said last about the same."""
        if self._told and self._told[-1] == progress:
            return
        if self._told and self._told[-1].topic == progress.topic:
            self._told[-1] = progress
        else:
            self._told.append(progress)
        noted, self._noted = self._noted, asyncio.Event()
        noted.set()

    async def follow(self) -> AsyncIterator[Progress]:
        """The history from its beginning, and then what is added or changed. Does not end by itself."""
        count, last = 0, None
        while True:
            if count and self._told[count - 1] != last:
                last = self._told[count - 1]
            elif count < len(self._told):
                last = self._told[count]
                count += 1
            else:
                await self._noted.wait()
                continue
            yield last
