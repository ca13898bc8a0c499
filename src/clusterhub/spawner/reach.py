"""Whether a session's node can be reached from the hub: asked rarely, and closely once there is doubt."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from urllib.parse import urlsplit

CONNECT_TIMEOUT = 3.0
"""Seconds: two lost packets are no lost node (Linux sends a SYN again after one second)."""

DOUBT_PAUSE = 1.0
"""Seconds until the next look after one that failed."""

AWAY_PAUSE = 5.0
"""Seconds between looks for a node that cannot be reached."""

FAILURES = 3
"""Looks in a row that have to fail."""


async def answers(url: str) -> bool:
    """Whether something accepts connections there.

    The kernel accepts for a process that is stopped or busy, so this asks for no more than the way there.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            connecting = asyncio.get_running_loop().sock_connect(probe, (host, parts.port or 80))
            await asyncio.wait_for(connecting, CONNECT_TIMEOUT)
        except (OSError, asyncio.TimeoutError):
            return False
    return True


class Reach:
    """What is known of the way to one session, and when to look again."""

    def __init__(self, url: str, interval: float) -> None:
        """``interval`` is in seconds, between looks while all is well; 0 for none at all."""
        self._url = url
        self._interval = interval
        self.failures = 0
        """How many looks in a row have failed."""
        # Sessions of before a restart of the hub are not all looked at in the same moment.
        self._due = time.monotonic() + random.uniform(0, interval)  # noqa: S311 - spreads them
        self._looked = 0.0

    @property
    def reachable(self) -> bool:
        """False once several looks in a row have failed."""
        return self.failures < FAILURES

    @property
    def delay(self) -> float | None:
        """Seconds until the next look; None where none is to be made."""
        return max(0.0, self._due - time.monotonic()) if self._interval else None

    def doubt(self) -> None:
        """Somebody could not reach it: look at once, unless that has just been done."""
        self._due = min(self._due, max(time.monotonic(), self._looked + DOUBT_PAUSE))

    async def fails(self) -> bool:
        """Looks, if that is due; true where that failed."""
        if self.delay is None or self.delay > 0:
            return False
        self.failures = 0 if await answers(self._url) else self.failures + 1
        self._looked = time.monotonic()
        if not self.failures:
            pause = self._interval * random.uniform(0.8, 1.2)  # noqa: S311 - spreads them
        else:
            pause = DOUBT_PAUSE if self.reachable else AWAY_PAUSE
        self._due = self._looked + pause
        return self.failures > 0
