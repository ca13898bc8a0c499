"""Starts that are interrupted, by the hub's end or by the person.

On the local engine. Without `clusterhub.hub.resumption` each start of a killed hub waits for ever; without
`ClusterSpawner._note_submission` a job that was submitted while its start was stopped goes on.
"""

import asyncio
import getpass
import os
import signal
from collections.abc import Callable

import pytest
from tests.fault.conftest import Demo, until
from tests.fault.visits import is_ready, shows

from clusterhub.hub.walkthrough import Walk

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
        os.kill(demo.pid("jupyterhub"), signal.SIGKILL)

        await until(lambda: is_ready(walk))
        # Until then the page that the proxy shows in its place loads itself again.
        await until(lambda: shows(walk, "jupyter-config-data"))
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
