"""On the local engine, too, a session hears that its end is near, tells its pages, and is explained after it.

Without `Supervisor.warn` the signal's line is missing in the log; without `Session.follow` no event comes;
without `_WARNING_IGNORED` in the job script a signal that comes early kills the session.
"""

import asyncio
import getpass
import os
import re
import signal
from typing import Any

import aiohttp
from tests.fault.conftest import Demo, until
from tests.session_token import websocket_url

from clusterhub.hub.walkthrough import Walk
from clusterhub.session.following import EVENT

ME = getpass.getuser()


async def asked(walk: Walk) -> dict[str, Any]:
    """What a page is told that asks the session."""
    async with walk.http.get(f"{walk.url}/user/{ME}/clusterhub/session") as answer:
        assert answer.status == 200
        model: dict[str, Any] = await answer.json()
        return model


async def warning(walk: Walk) -> dict[str, Any]:
    """The first event about its time that the session sends."""
    async with walk.http.ws_connect(await websocket_url(walk, "api/events/subscribe")) as events:
        while True:
            event: dict[str, Any] = await events.receive_json()
            if event["schema_id"] == EVENT:
                return event


async def give_seconds(demo: Demo, walk: Walk, seconds: int) -> None:
    """Has the hub begin anew with a profile of so little time, which nobody could choose on the page."""
    site = demo.directory / "site.toml"
    text, changed = re.subn(r"time = \{[^}]*max = \"8h\" \}", f'time = "{seconds}s"', site.read_text())
    assert changed == 1
    site.write_text(text)
    pid = demo.pid("jupyterhub")
    os.kill(pid, signal.SIGKILL)

    async def is_back() -> bool:
        try:
            return "servers" in await walk.model()
        except (aiohttp.ClientError, ValueError):
            return False

    await until(is_back)


async def test_a_session_is_warned_before_its_limit_and_explained_after_it(demo: Demo) -> None:
    async with Walk.begin(demo.url, ME) as walk, Walk.begin(demo.url, ME) as stranger:
        await walk.log_in(demo.password)
        await give_seconds(demo, walk, 30)
        await walk.start({"profile": "small"})
        async with walk.http.get(f"{walk.url}/user/{ME}/lab") as answer:
            assert answer.status == 200
        before = await asked(walk)
        assert before["warn_before_s"] == 15
        assert 0 < before["remaining_s"] <= 30
        assert before["home"] == ""
        event = await asyncio.wait_for(warning(walk), 40)
        assert (event["warn"], event["save"]) == (True, True)
        assert event["remaining_s"] <= 16
        assert (await asked(walk))["warn"]
        await until(lambda: demo.log_has("the scheduler has sent its signal"), 10)
        async with stranger.http.get(f"{walk.url}/user/{ME}/clusterhub/session") as answer:
            assert answer.status == 403

        async def is_explained() -> bool:
            try:
                async with walk.http.get(f"{walk.url}/user/{ME}/lab") as answer:
                    return "Your session reached its time limit of 30s." in await answer.text()
            except aiohttp.ClientError:
                return False

        await until(is_explained)
        assert demo.records()[0]["outcome"] == "time limit"
