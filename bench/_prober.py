"""How long the hub takes to answer somebody who does nothing special, asked again and again.

A program of its own, so that nothing else that the benchmark does is in the times: it reads one JSON object
on standard input, ``{"url", "per_second", "seconds", "requests": [{"path", "headers"}, ...]}``, and for each
answer prints when it asked (seconds of the clock that never goes back), how many seconds it took, and the
status. It ends when its input does.

Requests are made at their times whether or not those before have been answered: where the hub hangs for a
second, all that were due in that second say so.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from typing import Any

import aiohttp

TIMEOUT = 60.0


async def ask(http: aiohttp.ClientSession, url: str, request: dict[str, Any], due: float) -> None:
    """Make one request and print what came of it."""
    try:
        async with http.get(
            url + request["path"], headers=request["headers"], allow_redirects=False
        ) as answer:
            await answer.read()
            status = str(answer.status)
    except (aiohttp.ClientError, asyncio.TimeoutError) as error:
        status = type(error).__name__
    print(due, time.monotonic() - due, status, flush=True)


async def main() -> None:
    """Ask until standard input ends."""
    asked = json.loads(sys.stdin.readline())
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    # No cookie of an answer takes the place of those that are sent.
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=jar) as http:
        began, requests = time.monotonic(), itertools.cycle(asked["requests"])
        under_way: set[asyncio.Task[None]] = set()
        for number in itertools.count():
            due = began + number / asked["per_second"]
            await asyncio.wait([ended], timeout=max(0.0, due - time.monotonic()))
            if ended.done():
                break
            task = asyncio.create_task(ask(http, asked["url"], next(requests), due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)


if __name__ == "__main__":
    asyncio.run(main())
