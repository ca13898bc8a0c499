"""How a session ended is said on its page, by the REST API and by `clusterhub why`, also by the next hub.

On the local engine. Without `clusterhub.spawner.ending_store` a hub that was killed has forgotten it; without
the call of `Endings.remember` in `ClusterSpawner.poll` nobody ever says it.
"""

import asyncio
import getpass
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
from tests.fault.conftest import Demo, until

from clusterhub.hub.walkthrough import Walk
from clusterhub.schedulers.command import run
from clusterhub.schedulers.model import JobRequest
from clusterhub.site.loading import load
from clusterhub.spawner.clusters import scheduler_for
from clusterhub.spawner.tags import Tag

ME = getpass.getuser()
KILLED = "Your session was ended by SIGKILL (signal 9)."


async def clusterhub(demo: Demo, *words: str) -> subprocess.CompletedProcess[str]:
    """What the command line answers. Meanwhile the loop sees which connections the proxy closes as idle."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", "from clusterhub.cli import main; main()", *words],
        env={**os.environ, "CLUSTERHUB_SITE": str(demo.directory / "site.toml")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def page(walk: Walk) -> str:
    """What the hub says at the session's address."""
    async with walk.http.get(f"{walk.url}/user/{ME}/lab") as answer:
        return await answer.text()


async def told(walk: Walk, path: str = ME) -> tuple[int, Any]:
    """The REST API's answer."""
    url = f"{walk.url}/hub/api/clusterhub/endings/{path}"
    async with walk.http.get(url, headers=walk.headers()) as answer:
        return answer.status, await answer.json()


def kill_jupyter(demo: Demo) -> None:
    """Ends the session's server as a system does that is short of memory."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"/dev/fd/3" in words and str(demo.directory).encode() in environment:
            os.kill(int(process.name), signal.SIGKILL)


async def says_so(walk: Walk, demo: Demo) -> None:
    """Page, API and command line say that the session was killed."""
    assert KILLED in await page(walk)
    status, ending = await told(walk)
    assert status == 200
    assert ending["what"] == KILLED
    assert ending["job"] == demo.jobs[-1].name
    assert (ending["outcome"], ending["served"]) == ("failed", True)
    assert any("listens on port" in line or "Server]" in line for line in ending["log"])
    answer = await clusterhub(demo, "why", ME)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(KILLED)


async def test_a_killed_session_is_explained_also_by_the_next_hub(demo: Demo) -> None:
    async with Walk.begin(demo.url, ME) as walk:
        await walk.log_in(demo.password)
        status, answer = await told(walk)
        assert status == 404
        assert f"No session of {ME}" in answer["message"]
        assert (await told(walk, "somebody-else"))[0] == 404
        async with Walk.begin(demo.url, ME) as stranger:
            assert (await told(stranger))[0] == 403
        nothing = await clusterhub(demo, "why", ME)
        assert (nothing.returncode, nothing.stdout) == (1, "")
        assert "is known to have ended" in nothing.stderr

        await walk.start({"profile": "small"})
        kill_jupyter(demo)

        async def is_told() -> bool:
            return (await told(walk))[0] == 200

        await until(is_told)
        await until(lambda: ended_for_the_hub(demo))
        assert demo.tickets == []
        await says_so(walk, demo)
        os.kill(demo.pid("jupyterhub"), signal.SIGKILL)
        await until_back(walk)
        await says_so(walk, demo)

        await walk.start({"profile": "small"})
        await walk.stop()
        assert KILLED not in await page(walk)
        assert "stopped through the hub" in (await told(walk))[1]["what"]


async def test_a_session_that_dies_while_the_hub_is_away_is_explained(demo: Demo) -> None:
    async with Walk.begin(demo.url, ME) as walk:
        await walk.log_in(demo.password)
        await walk.start({"profile": "small"})
        os.kill(demo.pid("jupyterhub"), signal.SIGKILL)
        kill_jupyter(demo)
        await until_back(walk)
        await until(lambda: ended_for_the_hub(demo))
        await says_so(walk, demo)


async def test_jobs_that_no_server_owns_are_listed_and_ended(demo: Demo) -> None:
    site = load(demo.directory / "site.toml")
    scheduler = scheduler_for(site.clusters["here"])
    async with Walk.begin(demo.url, ME) as walk:
        await walk.log_in(demo.password)
        nothing = await clusterhub(demo, "orphans")
        assert (nothing.returncode, nothing.stderr) == (0, "")
        assert "no job of this hub" in nothing.stdout
        await walk.start({"profile": "small"})
        lost = JobRequest(
            tag=str(Tag(site.hub.id, ME, "lost")),
            name=site.clusters["here"].job_name,
            person=ME,
            log_path=str(demo.directory / "lost.log"),
            body="exec sleep 600\n",
            time_seconds=600,
        )
        submission = scheduler.submission(lost)
        program = scheduler.programs()[submission.argv[0]]
        result = await run((*program, *submission.argv[1:]), stdin=submission.stdin)
        assert result.exit_code == 0, result
        await until(lambda: len(demo.jobs) == 2)

        listed = await clusterhub(demo, "orphans", "--end")
        assert listed.returncode == 0, listed.stderr
        lines = listed.stdout.splitlines()
        assert all(len(line) <= 80 for line in lines)
        assert [line.split()[:4] for line in lines[:2]] == [
            ["cluster", "job", "person", "server"],
            ["here", demo.jobs[1].name, ME, "lost"],
        ]
        assert lines[2:] == [f"Cancelled job {demo.jobs[1].name} of {ME} on here."]
        await until(lambda: demo.records()[1]["state"] == "ended")
        assert demo.records()[0]["state"] == "running"
        assert "no job of this hub" in (await clusterhub(demo, "orphans")).stdout


async def test_a_start_that_goes_on_is_no_orphan_also_when_the_hub_is_killed(demo: Demo) -> None:
    async with Walk.begin(demo.url, ME) as walk:
        await walk.log_in(demo.password)
        pressing = asyncio.create_task(walk.press_start({"profile": "small"}))
        await until(lambda: bool(demo.jobs))
        assert "no job of this hub" in (await clusterhub(demo, "orphans")).stdout
        os.kill(demo.pid("jupyterhub"), signal.SIGKILL)
        assert "no job of this hub" in (await clusterhub(demo, "orphans")).stdout
        await asyncio.gather(pressing, return_exceptions=True)
        await until_back(walk)
        assert len(demo.jobs) == 1


def ended_for_the_hub(demo: Demo) -> bool:
    """True once JupyterHub has noted that no server runs."""
    with sqlite3.connect(f"file:{demo.directory}/state/jupyterhub.sqlite?mode=ro", uri=True) as database:
        rows = database.execute("SELECT state FROM spawners WHERE server_id IS NULL").fetchall()
    database.close()
    return any(not json.loads(state or "{}") for (state,) in rows)


async def until_back(walk: Walk) -> None:
    """Returns when the hub answers again."""

    async def answers() -> bool:
        try:
            return "servers" in await walk.model()
        except (aiohttp.ClientError, ValueError, asyncio.TimeoutError):
            return False

    await until(answers)
