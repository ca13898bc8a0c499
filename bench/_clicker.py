"""Somebody at the gateway who starts sessions, one at a time, and looks at each until its page is there.

A program of its own, run as that person, so that nothing else that the benchmark does is in the times: each
line of standard input is one JSON object, answered by one of standard output. It ends when its input does.

- ``{"press": {"url", "person", "token", "server", "page", "choice"}, "patience"}``: press Start at a hub, see
  `_press`; the answer is ``{"seconds"}``, null where the page never was there.
- ``{"command": ARGV, "url", "patience"}``: run the command until this page of what it starts is there, then
  end it as Ctrl-C does; the answer is the same, with the end of what it wrote in ``log``.
- ``{"ask": {"method", "url", "token", "body"}}``: the answer is ``{"status", "text"}``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _press import Press, press_all

PAUSE = 0.02
"""Seconds between two looks whether what a command starts is there."""
END_SECONDS = 20.0
LOG_BYTES = 4000
OK = 200


async def press(asked: dict[str, Any], patience: float) -> dict[str, Any]:
    """One start at a hub."""
    one = Press(asked["person"], asked["token"], asked["server"], page=asked["page"])
    (start,) = await press_all(asked["url"], [one], asked["choice"], patience=patience)
    return {"seconds": None if start.ready_at is None else start.seconds, "log": start.problem}


async def command(argv: Sequence[str], url: str, patience: float) -> dict[str, Any]:
    """One start by a command."""
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            await asyncio.wait_for(_until_there(url), patience)
            seconds: float | None = time.monotonic() - began
        except asyncio.TimeoutError:
            seconds = None
        await _end(process)
        output.seek(max(0, output.seek(0, os.SEEK_END) - LOG_BYTES))
        return {"seconds": seconds, "log": output.read().decode(errors="replace")}


async def _until_there(url: str) -> None:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as http:
        while True:
            try:
                async with http.get(url, allow_redirects=False) as answer:
                    if answer.status == OK:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(PAUSE)


async def _end(process: asyncio.subprocess.Process) -> None:
    """srun ends its job at once where it is told twice within a second."""
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            os.killpg(process.pid, number)
            try:
                await asyncio.wait_for(process.wait(), 0.2 if number is signal.SIGINT else END_SECONDS)
            except asyncio.TimeoutError:
                continue


async def ask(method: str, url: str, token: str, body: object) -> dict[str, Any]:
    """One request to a hub's API."""
    headers = {"Authorization": f"token {token}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.request(method, url, json=body) as answer:
        return {"status": answer.status, "text": await answer.text()}


async def main() -> None:
    """Do as the lines say."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if "press" in asked:
            said = await press(asked["press"], asked["patience"])
        elif "command" in asked:
            said = await command(asked["command"], asked["url"], asked["patience"])
        else:
            said = await ask(**asked["ask"])
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
