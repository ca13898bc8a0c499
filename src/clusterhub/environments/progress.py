"""How far a build is: a line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 15.0
"""Where progress goes to a file or a log."""


class Progress:
    """Says which step is under way, what it does now, and how long each took. All goes to standard error."""

    def __init__(self, write: Callable[[str], object] | None = None, *, terminal: bool | None = None) -> None:
        self._write = write or sys.stderr.write
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._step = ""
        self._said = 0.0

    def say(self, line: str) -> None:
        """A line of its own."""
        self._write(f"{line}\n")

    @contextmanager
    def step(self, what: str, now: Callable[[], str] | None = None) -> Iterator[None]:
        """Says that the step begins and how it ended; ``now`` tells, each second, how far it is."""
        started = time.monotonic()
        self._step = what
        self._said = started
        self._show("...")
        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(done, now), daemon=True)
        ticker.start()
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            done.set()
            ticker.join()
            self._step = ""
            begin = "\r\x1b[K" if self._terminal else ""
            self._write(f"{begin}  {what}: {outcome} ({time.monotonic() - started:.0f} s)\n")

    def note(self, doing: str) -> None:
        """What the step does now."""
        quiet = time.monotonic() - self._said < SECONDS_BETWEEN_LINES
        if self._step and (self._terminal or not quiet):
            self._show(doing)

    def _tick(self, done: threading.Event, now: Callable[[], str] | None) -> None:
        while now is not None and not done.wait(1.0):
            if text := now():
                self.note(text)

    def _show(self, doing: str) -> None:
        self._said = time.monotonic()
        if self._terminal:
            self._write(f"\r\x1b[K  {self._step}: {doing:.100}")
        else:
            self._write(f"  {self._step}: {doing}\n")
