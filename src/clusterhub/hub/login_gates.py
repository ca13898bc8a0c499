"""Logins in order: each network has a few at a time, and whoever would have to wait too long is told so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from clusterhub.privileged.broker import LOGINS_AT_ONCE

FROM_ONE_NETWORK = 4
"""Of the passwords that are checked at a time, so that no one network takes all."""

MOST_WAITING = 500
"""A class of 200 logs in within half a minute."""


class Crowded(Exception):
    """More people wait already than could be let through in a while."""


@dataclass
class _Gate:
    semaphore: asyncio.Semaphore
    inside: int = field(default=0)


class Gates:
    """What a login passes before its password is checked, in order of arrival.

    One at a time for an account from a network: the next has to see how this one ended.
    """

    def __init__(self) -> None:
        self._waiting = 0
        self._all = asyncio.Semaphore(LOGINS_AT_ONCE)
        self._gates: dict[tuple[str, ...], _Gate] = {}

    @asynccontextmanager
    async def through(self, account: str, network: str) -> AsyncIterator[None]:
        """Inside, this login may be judged. Raises Crowded."""
        if self._waiting >= MOST_WAITING:
            raise Crowded
        self._waiting += 1
        try:
            async with (
                self._gate((account, network), 1),
                self._gate((network,), FROM_ONE_NETWORK),
                self._all,
            ):
                yield
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def _gate(self, key: tuple[str, ...], at_once: int) -> AsyncIterator[None]:
        gate = self._gates.setdefault(key, _Gate(asyncio.Semaphore(at_once)))
        gate.inside += 1
        try:
            async with gate.semaphore:
                yield
        finally:
            gate.inside -= 1
            if not gate.inside:
                del self._gates[key]
