"""The audit log: one file of JSON lines, written by a thread, never given up and never lost in silence."""

from __future__ import annotations

import atexit
import json
import logging
import os
import stat
import threading
import time
from collections import deque
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from clusterhub.audit.events import DONE, Event, LinesLost, Repeated
from clusterhub.audit.request import CURRENT, NONE, Request

log = logging.getLogger("clusterhub")

MOST_WAITING = 10_000
"""Lines that are kept while the file cannot be written, about 4 MiB."""

RETRY = 5.0
"""Seconds until a write that failed is tried again."""

SAID_AGAIN = 300.0
"""Seconds after which the hub's log says again that the audit log cannot be written."""

CLOSING = 5.0
"""Seconds that the end of the process waits for the last lines."""

FLOOD_WINDOW = 60.0
FLOOD_LINES = 60
"""Refusals of one kind from one address that are written one by one within a window (seconds)."""

FOR_OTHERS = 0o027
"""Nobody but the owner writes it, nobody but the owner's group reads it."""

LONGEST = 1024
"""Characters in a text of a line; longer ones, which only attackers have, are cut."""


def as_line(event: Event, request: Request, now: float) -> bytes:
    """The event as one line of JSON. ``now`` is in seconds since the epoch."""
    told = {key: value[:LONGEST] if isinstance(value, str) else value for key, value in asdict(event).items()}
    moment = datetime.fromtimestamp(now, timezone.utc)
    head = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event": event.name,
        "who": told.pop("who"),
        "person": told.pop("person"),
        "outcome": told.pop("outcome"),
        "why": told.pop("why"),
        "request": request.id,
        "address": request.address,
    }
    # ASCII: no control character or line separator of anybody's gets through to a terminal or a reader.
    return json.dumps({**head, **told}).encode("ascii") + b"\n"


class Flood:
    """Counts refusals, so that whoever is refused cannot fill the disk."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._begun = 0.0

    def passes(self, event: Event, address: str) -> bool:
        """Whether this one is to be written."""
        if event.outcome == DONE:
            return True
        kind = (event.name, address)
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind] <= FLOOD_LINES

    def turn(self, now: float) -> list[Repeated]:
        """What was not written in the window that is over, if one is. ``now`` is monotonic, in seconds."""
        if now - self._begun < FLOOD_WINDOW:
            return []
        counts, self._counts, self._begun = self._counts, {}, now
        return [
            Repeated(of=name, address=address, times=count - FLOOD_LINES)
            for (name, address), count in counts.items()
            if count > FLOOD_LINES
        ]


class AuditLog:
    """One for each hub. `note` returns at once: what is slow here is a disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        """Why the file cannot be written, in a sentence; empty while it can."""
        self._flood = Flood()
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._file: int | None = None
        self._written = 0
        """Bytes of the first waiting line that are in the file already: a disk can be full in between."""
        self._said_at = -SAID_AGAIN

    def note(self, event: Event) -> None:
        """This happened now, for the request that this context works for."""
        request = CURRENT.get()
        told: list[tuple[Event, Request]] = [(each, NONE) for each in self._flood.turn(time.monotonic())]
        if self._flood.passes(event, request.address):
            told.append((event, request))
        with self._changed:
            for each, whose in told:
                if len(self._waiting) < MOST_WAITING:
                    self._waiting.append(as_line(each, whose, time.time()))
                else:
                    self._lost += 1
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="clusterhub-audit", daemon=True)
            self._thread.start()
            atexit.register(self.close)

    def close(self) -> None:
        """Returns when all is written, or after a few seconds."""
        with self._changed:
            self._waiting.extend(as_line(each, NONE, time.time()) for each in self._flood.turn(float("inf")))
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSING)
        if self._waiting:
            log.error("The audit log lacks its last %d lines. %s", len(self._waiting), self.problem)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._closing and not self._waiting:
                    return
            try:
                self._write_all()
            except OSError as error:
                self._say_problem(error)
                with self._changed:
                    if self._closing:
                        return
                    self._changed.wait_for(lambda: self._closing, RETRY)

    def _write_all(self) -> None:
        """Raises OSError; what is not written then stays for the next time."""
        while self._waiting:
            self._written += os.write(self._opened(), self._waiting[0][self._written :])
            if self._written == len(self._waiting[0]):
                with self._changed:
                    self._waiting.popleft()
                    self._written = 0
                    lost, self._lost = (self._lost, 0) if not self._waiting else (0, self._lost)
                    if lost:
                        self._waiting.append(as_line(LinesLost(times=lost), NONE, time.time()))
                    self._changed.notify_all()
        if self.problem:
            log.warning("The audit log is written again: %s", self.path)
            self.problem, self._said_at = "", -SAID_AGAIN

    def _opened(self) -> int:
        """The descriptor of the file of that name: logrotate moves it away and may make another."""
        if self._file is not None:
            try:
                now, ours = self.path.stat(), os.fstat(self._file)
                if (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino):
                    return self._file
            except FileNotFoundError:
                pass
            os.close(self._file)
            self._file, self._written = None, 0
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(self.path, flags, 0o600)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{self.path} is not a plain file")
            if status.st_mode & FOR_OTHERS:
                os.fchmod(file, stat.S_IMODE(status.st_mode) & ~FOR_OTHERS)
            if status.st_size and os.pread(file, 1, status.st_size - 1) != b"\n":
                os.write(file, b"\n")  # a hub that was killed, or a full disk, left half a line
        except OSError:
            os.close(file)
            raise
        self._file = file
        return file

    def _say_problem(self, error: OSError) -> None:
        self.problem = (
            f"The audit log {self.path} cannot be written: {error.strerror or error}. "
            f"{len(self._waiting)} lines wait, {self._lost} are lost."
        )
        if time.monotonic() - self._said_at > SAID_AGAIN:
            self._said_at = time.monotonic()
            log.error("%s", self.problem)
