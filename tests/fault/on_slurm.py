"""What the fault tests on the real cluster have in common: people at their pages, and commands that lie."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from tests import hub_site
from tests.hub_fixture import LiveHub

from clusterhub.hub.walkthrough import Walk, WalkFailed

PATIENCE = 60.0
AWAY = r"The scheduler cannot be reached at the moment"
"""What a waiting page says, after which it says what it knew before."""
NOTICE = r"The scheduler of main cannot be reached at the moment"
"""What the other pages say."""


@asynccontextmanager
async def person(hub: LiveHub, name: str) -> AsyncIterator[Walk]:
    """Somebody who has logged in."""
    async with Walk.begin(hub.url, name) as walk:
        await walk.log_in(hub.cluster.people[name].password)
        yield walk


async def until(true: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> None:
    """Returns when the condition holds. What cannot be asked, while a hub comes back, holds not yet."""

    async def poll() -> None:
        while True:
            try:
                if await true():
                    return
            except (aiohttp.ClientError, WalkFailed, ValueError):
                pass
            await asyncio.sleep(0.2)

    await asyncio.wait_for(poll(), patience)


async def server(walk: Walk, name: str = "") -> dict[str, Any]:
    """A server of the person's as the REST API tells; empty where there is none."""
    found: dict[str, Any] = (await walk.model())["servers"].get(name, {})
    return found


async def until_ready(walk: Walk, name: str = "") -> None:
    """Returns when the session is open, without anybody pressing anything."""

    async def is_ready() -> bool:
        return bool((await server(walk, name)).get("ready"))

    await until(is_ready)


async def until_said(walk: Walk, pattern: str, name: str = "", patience: float = PATIENCE) -> str:
    """The first line like this on the waiting page; what it said before counts, as a person can read it."""

    said: list[str] = []

    async def read() -> str:
        while True:
            try:
                async for event in walk.progress(name):
                    said.append(str(event.get("message", "")))
                    if re.search(pattern, said[-1]):
                        return said[-1]
            except (aiohttp.ClientError, WalkFailed):
                pass  # the hub is on its way
            await asyncio.sleep(0.2)

    try:
        return await asyncio.wait_for(read(), patience)
    except asyncio.TimeoutError:
        raise AssertionError(f"the page did not say {pattern!r} but: {said[-5:]}") from None


async def page(walk: Walk, path: str = "home") -> str:
    """What a page of the hub says."""
    async with walk.http.get(f"{walk.url}/hub/{path}") as answer:
        return await answer.text()


async def submitted(hub: LiveHub, name: str, known: frozenset[str] = frozenset()) -> str:
    """The id of the job that the person gets, besides those that are known."""

    async def is_there() -> bool:
        return bool(set(hub.jobs(name)) - known)

    await until(is_there)
    [job] = set(hub.jobs(name)) - known
    return job


def place(hub: LiveHub, job: str) -> str:
    """What a job has in the queue: its id and when it was submitted."""
    asked = hub.cluster.run("gateway", ["squeue", "-h", "-o", "%i %V", "-j", job])
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.strip()


def release(hub: LiveHub, job: str) -> None:
    """The operator lets a held job run."""
    done = hub.cluster.run("gateway", ["scontrol", "release", job])
    assert done.returncode == 0, done.stderr


@contextmanager
def lying(command: str, lie: str) -> Iterator[None]:
    """While this holds, the command lies so; see `tests.hub_site.COMMAND`."""
    path = hub_site.COMMANDS / f"{command}.lie"
    path.write_text(lie)
    try:
        yield
    finally:
        path.unlink()


def told(command: str) -> int:
    """How often the command has begun to lie so far."""
    return len((hub_site.COMMANDS / f"{command}.told").read_text().splitlines())


def asked(command: str) -> int:
    """How often the command has been run so far, as the hub or for it."""
    return len((hub_site.COMMANDS / f"{command}.asked").read_text().splitlines())


def hanging(hub: LiveHub) -> int:
    """How many commands hang right now."""
    return len(hub.cluster.run("gateway", ["pgrep", "-xf", "sleep 100"]).stdout.split())


def end_hanging(hub: LiveHub) -> None:
    """The commands that hang end now, without an answer."""
    hub.cluster.run("gateway", ["pkill", "-xf", "sleep 100"])


async def until_asked(command: str, times: int) -> None:
    """Returns when the command has been run so many times more."""
    before = asked(command)

    async def has_run() -> bool:
        return asked(command) >= before + times

    await until(has_run)


async def until_told(command: str, times: int = 1) -> None:
    """Returns when the command has lied so many times more."""
    before = told(command)

    async def has_lied() -> bool:
        return told(command) >= before + times

    await until(has_lied)
