"""Who is disabled while a session runs loses it, where the site says so, and everybody can see why.

Without the look at accounts the session goes on until its time limit.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest
from tests.hub_fixture import LiveHub
from tests.hub_site import STATE_DIRECTORY
from tests.real_cluster.processes import wait_until

from clusterhub.hub.walkthrough import Walk


def _chage(expires: str) -> None:
    subprocess.run(["/usr/bin/chage", "-E", expires, "alice"], check=True)


@pytest.fixture
def expire() -> Iterator[Callable[[], None]]:
    """Lets alice's account expire, until the test is over."""
    yield lambda: _chage("0")
    _chage("-1")


async def test_a_session_of_an_account_that_expired_is_stopped_when_the_hub_comes_back(
    hub: LiveHub, expire: Callable[[], None]
) -> None:
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.start({"profile": "debug"})
    [job] = hub.expect_cancel("alice")
    hub.stop()
    expire()
    hub.start()
    assert hub.wait_for_no_job("alice", 60)
    assert wait_until(lambda: hub.servers("alice")[""]["stopped"], 30, pause=0.2)

    status, ending = hub.api("GET", "clusterhub/endings/alice")
    assert (status, ending["what"]) == (200, "The session was stopped, as the account has expired.")
    lines = [json.loads(line) for line in (STATE_DIRECTORY / "audit.jsonl").read_text().splitlines()]
    [line] = [line for line in lines if line["event"] == "account disabled"]
    assert (line["person"], line["why"], line["server"]) == ("alice", "expired-account", "")
    assert any(line["event"] == "job cancelled" and line["job"] == job for line in lines)
