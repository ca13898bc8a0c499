"""What operators tell everybody: read from a file again whenever it has changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from clusterhub.errors import ClusterhubError
from clusterhub.site.announcements import Announcement, load

log = logging.getLogger("clusterhub")

LOOK = 2.0
"""Seconds for which the file is taken to be as it was: many pages are one look."""


class Announcing:
    """What is told now. A file that has a mistake in it goes on telling what it said before."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._looked_at = float("-inf")
        self._seen: tuple[int, int, int] | None = None
        self._said: tuple[Announcement, ...] = ()
        self.problem = ""
        """What is wrong with the file, for operators; empty where nothing is."""

    def now(self) -> tuple[Announcement, ...]:
        """What a page is to tell."""
        if self._clock() - self._looked_at >= LOOK:
            self._looked_at = self._clock()
            self._look()
        moment = datetime.now(timezone.utc)
        return tuple(each for each in self._said if each.holds(moment))

    def _look(self) -> None:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        except FileNotFoundError:
            self._seen, self._said, self.problem = None, (), ""
            return
        except OSError as error:
            self._note(f"The announcements cannot be read: {error.strerror}: {self._path}")
            return
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._said = load(self._path)
            self.problem = ""
        except ClusterhubError as error:
            self._note(f"The announcements are as they were before the last change of the file. {error}")

    def _note(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("%s", problem)
        self.problem = problem
