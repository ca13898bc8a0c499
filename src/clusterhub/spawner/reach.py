"""Whether a session can be reached from the hub: its node is asked rarely, it itself once there is doubt."""

from __future__ import annotations

import asyncio
import errno
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from clusterhub.tls.names import address_in

CONNECT_TIMEOUT = 3.0
"""Seconds: two lost packets are no lost node (Linux sends a SYN again after one second)."""

DOUBT_PAUSE = 1.0
"""Seconds until the next look after one that failed."""

AWAY_PAUSE = 5.0
"""Seconds between looks for a node that cannot be reached."""

FAILURES = 3
"""Looks in a row that have to fail."""

OUR_OWN = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""What the hub's own machine may lack, which says nothing of the node."""


def node_of(url: str) -> str:
    """The address, or the host, where a session of that URL is."""
    host = urlsplit(url).hostname or ""
    return address_in(host) or host


async def answers(url: str) -> bool:
    """Whether something accepts connections there; also True where that cannot be found out.

    The kernel accepts for a process that is stopped or busy, so this asks for no more than the way there.
    """
    host = node_of(url)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            connecting = asyncio.get_running_loop().sock_connect(probe, (host, urlsplit(url).port or 80))
            await asyncio.wait_for(connecting, CONNECT_TIMEOUT)
    except asyncio.TimeoutError:
        return False
    except OSError as error:
        return error.errno in OUR_OWN
    return True


class Reach:
    """What is known of the way to one session, and when to look: only while there is doubt."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.failures = 0
        """How many looks in a row have failed."""
        self._due: float | None = None
        self._looked = 0.0

    @property
    def reachable(self) -> bool:
        """False once several looks in a row have failed."""
        return self.failures < FAILURES

    @property
    def delay(self) -> float | None:
        """Seconds until the next look; None where none is to be made."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def doubt(self) -> None:
        """Somebody could not reach it: look at once, unless that has just been done."""
        soon = max(time.monotonic(), self._looked + DOUBT_PAUSE)
        self._due = soon if self._due is None else min(self._due, soon)

    async def fails(self) -> bool:
        """Looks, if that is due; true where that failed."""
        if self.delay is None or self.delay > 0:
            return False
        self.failures = 0 if await answers(self._url) else self.failures + 1
        self._looked = time.monotonic()
        if not self.failures:
            self._due = None
        else:
            self._due = self._looked + (DOUBT_PAUSE if self.reachable else AWAY_PAUSE)
        return self.failures > 0


@dataclass(frozen=True)
class Follower:
    """A session on a node."""

    url: str
    doubt: Callable[[], None]
    """Called when there may be no way to the node."""


class Nodes:
    """Looks at each node where sessions are, however many those are: at any one of them in turn."""

    def __init__(self) -> None:
        self._followers: dict[str, list[Follower]] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    @contextmanager
    def watched(self, url: str, interval: float, doubt: Callable[[], None]) -> Iterator[None]:
        """While this holds the node of that URL is looked at every so many seconds; 0 for never."""
        if not interval:
            yield
            return
        node, follower = node_of(url), Follower(url, doubt)
        self._followers.setdefault(node, []).append(follower)
        if node not in self._looking:
            self._looking[node] = asyncio.create_task(self._look(node, interval))
        try:
            yield
        finally:
            self._followers[node].remove(follower)
            if not self._followers[node]:
                del self._followers[node]
                self._looking.pop(node).cancel()

    async def _look(self, node: str, interval: float) -> None:
        # After a restart of the hub not all are looked at in the same moment.
        await asyncio.sleep(random.uniform(0, interval))  # noqa: S311 - spreads them
        while True:
            # Not always the same one: it may be the only one that does not answer.
            if not await answers(random.choice(self._followers[node]).url):  # noqa: S311 - as above
                for follower in tuple(self._followers[node]):
                    follower.doubt()
            await asyncio.sleep(interval * random.uniform(0.8, 1.2))  # noqa: S311 - as above
