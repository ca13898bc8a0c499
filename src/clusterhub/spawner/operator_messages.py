"""What operators say to a person: on their pages and in their sessions, for a day or until dismissed."""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

log = logging.getLogger("clusterhub")

FILE = "messages.json"
"""Its name in the hub's state directory."""

KEPT = 86400.0
"""Seconds for which a message is shown."""

LONGEST = 500
"""Characters of a message."""

MOST = 5
"""Messages that one person is shown; an older one makes room."""


@dataclass(frozen=True)
class Message:
    """One message. It says that operators sent it; the audit log says who."""

    id: str
    person: str
    text: str
    sent_at: float
    """Seconds since the epoch."""


def plain(text: str) -> str:
    """The text on one line, without control characters, cut to what is shown."""
    words = " ".join(text.split())
    return "".join(each for each in words if each.isprintable())[:LONGEST]


class OperatorMessages:
    """The messages of all people, kept in a file: a restart of the hub loses none."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._messages: list[Message] | None = None

    def to(self, person: str) -> tuple[Message, ...]:
        """What that person is shown now, oldest first."""
        since = self._clock() - KEPT
        return tuple(each for each in self._all() if each.person == person and each.sent_at > since)

    def send(self, person: str, text: str) -> bool:
        """Shows it from now on; false where there is no text in it."""
        words = plain(text)
        if not words:
            return False
        keep = [*self.to(person), Message(secrets.token_hex(8), person, words, self._clock())][-MOST:]
        self._replace(person, keep)
        return True

    def dismiss(self, person: str, message: str) -> None:
        """The person has read it; nothing happens where there is none of that id."""
        self._replace(person, [each for each in self.to(person) if each.id != message])

    def _replace(self, person: str, messages: list[Message]) -> None:
        since = self._clock() - KEPT
        others = [each for each in self._all() if each.person != person and each.sent_at > since]
        self._messages = others + messages
        part = self._path.with_name(f"{self._path.name}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump([asdict(each) for each in self._messages], file)
            part.replace(self._path)
        except OSError as error:
            log.warning("Messages are not kept for the next hub: %s: %s", self._path, error)

    def _all(self) -> list[Message]:
        if self._messages is None:
            try:
                read = json.loads(self._path.read_text(encoding="utf-8"))
                self._messages = [Message(**each) for each in read]
            except FileNotFoundError:
                self._messages = []
            except (OSError, ValueError, TypeError) as error:
                log.warning("Messages to people are lost: %s: %s", self._path, error)
                self._messages = []
        return self._messages
