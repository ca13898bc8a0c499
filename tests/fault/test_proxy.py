"""The proxy may be killed: routes come back at once, and no session notices.

Without `Supervisor._ensure_routes` the routes are missing until JupyterHub's own check, five minutes later.
"""

import getpass
import os
import signal

import aiohttp
from tests.fault.conftest import Demo, until

from clusterhub.hub.walkthrough import Walk


async def test_routes_come_back_and_kernels_go_on_when_the_proxy_is_killed(demo: Demo) -> None:
    async with Walk.begin(demo.url, getpass.getuser()) as walk:
        await walk.log_in(demo.password)
        await walk.start({"profile": "small"})
        _, kernel = await walk.run_cell("x = 6")
        os.kill(demo.pid("configurable-http-proxy"), signal.SIGKILL)

        async def is_routed() -> bool:
            try:
                async with walk.http.get(f"{demo.url}/user/{walk.person}/api/status") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False  # it is on its way

        await until(is_routed, patience=10.0)
        printed, same = await walk.run_cell("print(x * 7)", kernel=kernel)
        assert (printed, same) == ("42\n", kernel)
