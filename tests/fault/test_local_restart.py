"""On the local engine, too, a session outlives a hub that is killed, with its kernel's variables.

Where `ClusterSpawner.load_state` forgets the job, or `cleanup_servers` is left as JupyterHub has it, it ends.
Without `Clusters.remove_ticket` its ticket outlives it.
"""

import getpass
import os
import signal

from tests.fault.conftest import Demo, until
from tests.fault.visits import is_ready

from clusterhub.hub.walkthrough import Walk


async def test_a_session_keeps_its_variables_when_the_hub_is_killed_twice(demo: Demo) -> None:
    async with Walk.begin(demo.url, getpass.getuser()) as walk:
        await walk.log_in(demo.password)
        await walk.start({"profile": "small"})
        _, kernel = await walk.run_cell("x = 6")

        for _ in range(2):
            os.kill(demo.pid("jupyterhub"), signal.SIGKILL)
            await until(lambda: is_ready(walk))
            printed, same = await walk.run_cell("print(x * 7)", kernel=kernel)
            assert (printed, same) == ("42\n", kernel)
        assert [record["state"] for record in demo.records()] == ["running"]
        assert demo.tickets != [], "a job that the scheduler runs again boards with it"
        await walk.stop()
        assert demo.tickets == []
        await until(lambda: [record["state"] for record in demo.records()] == ["ended"])
