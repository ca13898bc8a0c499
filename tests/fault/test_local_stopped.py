"""On the local engine a session whose server is stopped, as by ``kill -STOP``, outlives a restart of the hub.

The engine calls such a job running, as its processes are there. Without `RestoredServer` the hub waits for an
answer when it is restarted, gives the session up after a minute, and ends the job.
"""

import getpass
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fault.conftest import Demo, until
from tests.fault.visits import is_ready

from clusterhub.hub.walkthrough import Walk


@contextmanager
def stopped(demo: Demo) -> Iterator[None]:
    """While this holds, the session's server answers nobody."""
    servers = [int(process.name) for process in Path("/proc").glob("[0-9]*") if is_server(process, demo)]
    assert servers
    for pid in servers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in servers:
            os.kill(pid, signal.SIGCONT)


def is_server(process: Path, demo: Demo) -> bool:
    """Whether that is the Jupyter Server of a session of the demo."""
    try:
        environment = (process / "environ").read_bytes()
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile
        return False
    return b"/dev/fd/3" in words and str(demo.directory).encode() in environment


async def test_a_stopped_session_is_there_with_its_variables_when_it_goes_on(demo: Demo) -> None:
    async with Walk.begin(demo.url, getpass.getuser()) as walk:
        await walk.log_in(demo.password)
        await walk.start({"profile": "small"})
        _, kernel = await walk.run_cell("x = 6")

        with stopped(demo):
            os.kill(demo.pid("jupyterhub"), signal.SIGKILL)
            await until(lambda: is_ready(walk))
        printed, _ = await walk.run_cell("print(x * 7)", kernel=kernel)
        assert printed == "42\n"
        assert [record["state"] for record in demo.records()] == ["running"]
