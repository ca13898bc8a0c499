"""Starts that are interrupted, by the hub's end or by the person.

On the local engine. Without `clusterhub.hub.resumption` each start of a killed hub waits for ever; without
`ClusterSpawner._note_submission` a job that was submitted while its start was stopped goes on.
"""

import asyncio
import contextlib
import getpass
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from clusterhub.hub.walkthrough import Walk

PATIENCE = 60.0


@dataclass
class Demo:
    """A hub of the demo, supervised, and the files that it makes."""

    directory: Path
    url: str
    password: str

    @property
    def jobs(self) -> list[Path]:
        """The local engine's records."""
        return sorted((self.directory / "state" / "local" / "here" / "jobs").glob("[0-9]*"))

    def records(self) -> list[dict[str, str]]:
        """What the engine says of each job."""
        return [json.loads((job / "record.json").read_text()) for job in self.jobs]

    def hub_pid(self) -> int:
        """The process id of JupyterHub itself."""
        state = str(self.directory / "state")
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                words = (process / "cmdline").read_bytes().split(b"\0")
                if b"jupyterhub" in words and str((process / "cwd").readlink()) == state:
                    return int(process.name)
        raise AssertionError("no hub is running")

    def log_has(self, pattern: str) -> bool:
        """True once the newest session's log has a line like this."""
        logs = sorted((self.directory / "sessions").glob("*/*.log"), key=lambda path: path.stat().st_mtime)
        return bool(logs) and re.search(pattern, logs[-1].read_text(errors="replace")) is not None


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory = tmp_path / "demo"
    process = subprocess.Popen(
        [sys.executable, "-m", "clusterhub.hub.demo", "--directory", directory, f"--port={port}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, f"the demo ended: {printed}"
            printed += line
        found = re.search(r"Password +(\S+)", printed)
        assert found is not None
        yield Demo(directory, f"http://127.0.0.1:{port}", found[1])
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


async def until(true: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    """Returns when the condition holds; there is no event of another process to await."""

    async def poll() -> None:
        while True:
            outcome = true()
            if outcome is True or (isinstance(outcome, Awaitable) and await outcome):
                return
            await asyncio.sleep(0.05)

    await asyncio.wait_for(poll(), PATIENCE)


MOMENTS: dict[str, Callable[[Demo], bool]] = {
    "the click was answered": lambda _: True,
    "the job was in the queue": lambda demo: bool(demo.jobs),
    "the job had begun to board": lambda demo: demo.log_has("listens on port"),
    "Jupyter was starting": lambda demo: demo.log_has("extension was successfully linked"),
    "Jupyter was serving": lambda demo: demo.log_has("is running at"),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_start_goes_on_when_the_hub_is_killed_after(moment: str, demo: Demo) -> None:
    async with Walk.begin(demo.url, getpass.getuser()) as walk:
        await walk.log_in(demo.password)
        await walk.press_start({"profile": "small"})
        await until(lambda: MOMENTS[moment](demo))
        os.kill(demo.hub_pid(), signal.SIGKILL)

        async def is_ready() -> bool:
            try:
                return bool((await walk.model())["servers"].get("", {}).get("ready"))
            except (aiohttp.ClientError, ValueError):
                return False  # the hub is on its way

        await until(is_ready)
        printed, _ = await walk.run_cell("print(6 * 7)")
        assert printed == "42\n"
        assert len(demo.jobs) == 1


@pytest.mark.parametrize(
    "moment", ["the job was in the queue", "the job had begun to board", "Jupyter was serving"]
)
async def test_a_stop_leaves_no_job_and_the_next_start_works_after(moment: str, demo: Demo) -> None:
    async with Walk.begin(demo.url, getpass.getuser()) as walk:
        await walk.log_in(demo.password)
        pressing = asyncio.create_task(walk.press_start({"profile": "small"}))
        await until(lambda: MOMENTS[moment](demo))  # the hub may not have heard the job's id yet
        await walk.stop()
        await asyncio.gather(pressing, return_exceptions=True)
        await until(lambda: [record["state"] for record in demo.records()] == ["ended"])
        await walk.start({"profile": "small"})
        assert len(demo.jobs) == 2
