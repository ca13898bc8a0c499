"""What a person sees of a session, as statements to wait for."""

from __future__ import annotations

import asyncio

import aiohttp
from tests.fault.on_slurm import until, until_said
from tests.hub_fixture import LiveHub

from clusterhub.hub.walkthrough import Walk

ONE_VISIT = aiohttp.ClientTimeout(total=5)
"""A page that takes longer does not answer, for a person."""


async def page(walk: Walk, path: str = "lab") -> str:
    """What a browser shows at the session's address; empty where nothing answers."""
    try:
        url = f"{walk.url}/user/{walk.person}/{path}"
        async with walk.http.get(url, timeout=ONE_VISIT) as answer:
            return await answer.text()
    except (aiohttp.ClientError, asyncio.TimeoutError):
        return ""


async def shows(walk: Walk, words: str) -> bool:
    """Whether the session's page says this."""
    return words in await page(walk)


async def is_ready(walk: Walk) -> bool:
    """Whether the hub says that the session can be visited."""
    try:
        return bool((await walk.model())["servers"].get("", {}).get("ready"))
    except (aiohttp.ClientError, asyncio.TimeoutError, ValueError):
        return False  # the hub is on its way


async def told(walk: Walk, words: str) -> None:
    """Returns when the page of a session that starts says this."""
    await until(lambda: shows(walk, "Your session is starting"))
    await until_said(walk, words)


def let_go(hub: LiveHub, job: str) -> None:
    """The operator lets a requeued job begin at once: Slurm has it wait for two minutes."""
    hub.cluster.wait_for_job(job, "PENDING")  # what is set while the former run is cleaned up is lost
    done = hub.cluster.run("gateway", ["scontrol", "update", f"job={job}", "StartTime=now"])
    assert done.returncode == 0, done.stderr
