"""The end of the log of a session that starts, for whoever looks at its page.

It is read as the person, by the helper's own verb, which is one process each time. So it is read only while
somebody looks, only of a job that runs and has not come up within a few seconds, ever more rarely, and one
after the other for the whole hub: where a class starts at once, nobody's log is worth the hub's time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from clusterhub.errors import ClusterhubError
from clusterhub.spawner.explanations import last_lines

log = logging.getLogger("clusterhub")

LOG_BYTES = 8192
"""Of the log's end that is read each time."""

FIRST = 4.0
"""Seconds after which the log of a job that runs is looked at first: most sessions are there by then."""

SLOWER = 1.5
PAUSE_AT_MOST = 30.0
"""By how much each pause is longer than the one before, up to so many seconds."""

BETWEEN = 0.5
"""Seconds between two looks at anybody's log."""

_TERMINALS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


class LogLooks:
    """Whose turn it is to have a log looked at; one for each hub."""

    def __init__(self, between: float = BETWEEN) -> None:
        self._between = between
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Holds the turn while this does, and a little longer."""
        async with self._turn:
            yield
            await asyncio.sleep(self._between)


class StartLog:
    """Of one start.

    ``read`` reads the log's end, ``runs`` tells whether there is one to be read, ``note`` is called when the
    lines are others than before.
    """

    def __init__(
        self,
        looks: LogLooks,
        read: Callable[[], Awaitable[str]],
        runs: Callable[[], bool],
        note: Callable[[], None],
        *,
        first: float = FIRST,
    ) -> None:
        self._looks, self._read, self._runs, self._note = looks, read, runs, note
        self._first = first
        self._readers = 0
        self._task: asyncio.Task[None] | None = None
        self.lines: tuple[str, ...] = ()
        """The last that say something."""

    @contextlib.contextmanager
    def looked_at(self) -> Iterator[None]:
        """Somebody looks at the page while this is held."""
        self._readers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._task.cancel()
                self._task = None

    async def _follow(self) -> None:
        pause = self._first
        while True:
            await asyncio.sleep(pause)
            if not self._runs():
                pause = self._first
                continue
            async with self._looks.turn():
                await self._look()
            pause = min(pause * SLOWER, PAUSE_AT_MOST)

    async def _look(self) -> None:
        try:
            lines = last_lines(as_plain_text(await self._read()))
        except ClusterhubError as error:
            log.info("The log of a start cannot be shown: %s", error)
            return
        if lines != self.lines:
            self.lines = lines
            self._note()


def as_plain_text(text: str) -> str:
    """Without what is for terminals: colours, titles, and lines that were written over each other."""
    lines = (line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join(_TERMINALS.sub("", line) for line in lines)
