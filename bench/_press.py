"""People who press Start, each as a browser does: the press, the waiting page's events, then the session."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from _run import say

ERROR = 400
PAUSE = 0.5
"""Seconds until a page that could not be loaded is loaded again."""


@dataclass(frozen=True)
class Press:
    """Somebody who presses Start."""

    person: str
    token: str
    server: str = ""
    after: float = 0.0
    """Seconds after the first."""
    page: str = "api"
    """Of the session: it is ready once this is there."""


@dataclass(frozen=True)
class Start:
    """What came of it; times are of the machine's clock that never goes back."""

    pressed_at: float
    ready_at: float | None
    """When the session answered through the proxy; None where it never did."""
    problem: str = ""

    @property
    def seconds(self) -> float:
        """From the press until the session could be used; infinite for one that never could."""
        return math.inf if self.ready_at is None else self.ready_at - self.pressed_at


class _NotStarted(Exception):
    """What the person read."""


async def press_all(
    url: str, presses: Sequence[Press], choice: Mapping[str, str] | None, *, patience: float, at_once: int = 0
) -> list[Start]:
    """What came of each press, ``patience`` seconds later at most.

    Each is made when its time has come; with ``at_once``, only while no more than so many are under way.
    """
    gate = asyncio.Semaphore(at_once or len(presses) or 1)
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        began = time.monotonic()

        async def press(one: Press) -> Start:
            await asyncio.sleep(began + one.after - time.monotonic())
            async with gate:
                return await _start(http, url, one, choice, patience)

        return list(await asyncio.gather(*(press(one) for one in presses)))


async def _start(
    http: aiohttp.ClientSession, url: str, one: Press, choice: Mapping[str, str] | None, patience: float
) -> Start:
    pressed_at = time.monotonic()
    try:
        await asyncio.wait_for(_until_usable(http, url, one, choice), patience)
    except asyncio.TimeoutError:
        problem = f"not ready after {patience:.0f} s"
    except (aiohttp.ClientError, _NotStarted) as error:
        problem = f"{type(error).__name__}: {error}"
    else:
        return Start(pressed_at, time.monotonic())
    say(f"  {one.person} {one.server}: {problem}")
    return Start(pressed_at, None, problem)


async def _until_usable(
    http: aiohttp.ClientSession, url: str, one: Press, choice: Mapping[str, str] | None
) -> None:
    path = f"{one.person}/servers/{one.server}" if one.server else f"{one.person}/server"
    address = f"{url}/hub/api/users/{path}"
    headers = {"Authorization": f"token {one.token}"}
    async with http.post(address, json=dict(choice or {}), headers=headers) as answer:
        if answer.status >= ERROR:
            raise _NotStarted(f"HTTP {answer.status}: {(await answer.text())[:300]}")
    await _follow(http, f"{address}/progress", headers)
    session = f"{url}/user/{one.person}/{one.server + '/' if one.server else ''}{one.page}"
    while True:  # what a browser does that is sent to a route which the proxy has not got yet
        async with http.get(session, headers=headers, allow_redirects=False) as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(PAUSE)


async def _follow(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
    """Returns when the waiting page is told that the session is ready."""
    async with http.get(url, headers=headers) as answer:
        if answer.status >= ERROR:
            raise _NotStarted(f"HTTP {answer.status} of the waiting page: {(await answer.text())[:300]}")
        async for line in answer.content:
            if line.startswith(b"data:"):
                event = json.loads(line[len(b"data:") :])
                if event.get("failed"):
                    raise _NotStarted(event.get("message", "the start failed"))
                if event.get("ready"):
                    return
    raise _NotStarted("the waiting page ended without an answer")
