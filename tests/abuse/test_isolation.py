"""Nothing that lies in a person's home runs in the server of their session; kernels and terminals see it all.

Alice's home is full of traps: each leaves a mark when it runs, or text in what the server answers. The server
starts, shows JupyterLab and converts a notebook, and there is no mark. Then her kernels and terminals make
them, so the traps are good. With ``user_config = true`` those for Jupyter spring in the server as well.

Without ``-I`` in the job's script the marks of Python's traps are there; without
`isolation.keep_out_home` those of Jupyter's, without both `imports.ask_no_yarn` and
`isolation.WHILE_IT_STARTS` that of yarn, without `isolation.end_of_start` the kernel has the token; without
`launcher.keep_memory_private` the server's memory is its account's to read, and the server that is killed
leaves a core file.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from tests.abuse import traps
from tests.abuse.live_session import NODE, LiveSession, live_session
from tests.hub_fixture import LiveHub
from tests.session_token import READ_TOKEN

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOME = Path("/home/alice")


@pytest.fixture(scope="module")
def site_text(site_text: str) -> str:
    """With a profile whose variables lead Python into alice's home."""
    return site_text + traps.PROFILE


@pytest.fixture(scope="module")
def trapped_hub(live_hub: LiveHub) -> Iterator[LiveHub]:
    """The hub, while the traps are set."""
    with traps.set_in(HOME, "alice"):
        yield live_hub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(trapped_hub: LiveHub) -> AsyncIterator[LiveSession]:
    """Alice's session; it has shown a page and converted a notebook, and there is no kernel yet."""
    async with live_session(trapped_hub, "trapped") as session:
        yield session


async def test_no_trap_springs_in_the_server(session: LiveSession) -> None:
    status, page = await session.get("lab")
    assert status == 200
    assert [word for word in traps.ON_THE_PAGE if word in page] == []
    status, exported = await session.get(f"nbconvert/html/{traps.NOTEBOOK}")
    assert status == 200
    assert "a notebook of alice" in exported
    assert [word for word in traps.IN_AN_EXPORT if word in exported] == []
    assert traps.CSS not in (await session.get("custom/custom.css"))[1]
    assert (await session.get("lsp/status"))[0] == 200, (
        "an extension that the person's configuration switches off"
    )
    assert traps.marks(HOME) == set()


async def test_kernels_and_terminals_see_all_that_is_theirs(session: LiveSession) -> None:
    assert (
        await session.run("import jupyterhub; print(jupyterhub.__file__)") == f"{HOME}/python/jupyterhub.py"
    )
    assert await session.run("import trap_beside; print(trap_beside.__file__)") == f"{HOME}/trap_beside.py"
    theirs = (
        "from jupyter_core import paths; print(paths.jupyter_config_dir(), paths.jupyter_path('nbconvert'))"
    )
    printed = await session.run(theirs)
    assert printed.startswith(f"{HOME}/.jupyter ")
    assert f"{HOME}/.local/share/jupyter/nbconvert" in printed
    own = await session.start_kernel("mine")
    assert await own.run("import sys, trap_local; print(sys.executable)") == "/usr/bin/python3"
    await session.run_in_terminal("bash -c true")
    assert traps.marks(HOME) == traps.OF_KERNELS_AND_TERMINALS


async def test_what_people_set_in_jupyterlab_is_kept_in_their_home(session: LiveSession) -> None:
    theme = "lab/api/settings/@jupyterlab/apputils-extension:themes"
    assert json.loads((await session.ask("GET", theme))["raw"]) == {"theme": "JupyterLab Dark"}
    await session.ask("PUT", theme, {"raw": '{"theme": "JupyterLab Light"}'})
    assert traps.kept(HOME, ".jupyter/lab/user-settings/*/*/themes.jupyterlab-settings") == {
        "theme": "JupyterLab Light"
    }
    workspace = {"data": {"of": "alice"}, "metadata": {"id": "default"}}
    await session.ask("PUT", "lab/api/workspaces/default", workspace)
    assert traps.kept(HOME, ".jupyter/lab/workspaces/*")["data"] == {"of": "alice"}
    await session.ask("PUT", "api/config/notebook", {"of": "alice"})
    assert (await session.ask("GET", "api/config/notebook"))["of"] == "alice"
    assert traps.kept(HOME, ".jupyter/serverconfig/notebook.json")["of"] == "alice"


async def test_the_token_is_in_no_environment_of_a_kernel_or_terminal(session: LiveSession) -> None:
    secret = await session.run(f"{READ_TOKEN}\nprint(token)")
    assert len(secret) > 20
    seen = await session.run("import os; print(dict(os.environ))")
    assert "JUPYTERHUB_USER" in seen
    assert secret not in seen
    seen = await session.run_in_terminal("env")
    assert "JUPYTERHUB_USER" in seen
    assert secret not in seen
    status, _ = session.hub.api("GET", "user", token=secret)
    assert status == 200, "the session's own token, which works"


async def test_the_servers_memory_is_closed_to_its_own_account_and_a_kernels_is_not(
    session: LiveSession,
) -> None:
    server = await session.server_pid()
    look = (
        "import os\n"
        "def readable(pid):\n"
        "    try:\n"
        "        return bool(open(f'/proc/{pid}/mem', 'rb', buffering=0))\n"
        "    except PermissionError:\n"
        "        return False\n"
    )
    assert await session.run(f"{look}print(readable({server}))") == "False"
    assert await session.run(f"{look}print(readable(os.getpid()))") == "True"
    other = await session.start_kernel("python3")
    its = await other.run("import os; print(os.getpid())")
    assert await session.run(f"{look}print(readable({its}))") == "True"


CRASH = """
import os, resource, tempfile
child = os.fork()
if child == 0:
    os.chdir(tempfile.mkdtemp())
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    os.abort()
print(os.WCOREDUMP(os.waitpid(child, 0)[1]))
"""


async def test_a_server_that_crashes_leaves_no_core_file_and_a_kernel_may(session: LiveSession) -> None:
    assert await session.run(CRASH) == "True", "this machine writes core files"
    cluster = session.hub.cluster
    server = str(await session.server_pid())
    cluster.run(NODE, ["prlimit", f"--pid={server}", "--core=unlimited:unlimited"])
    before = traps.files(HOME)
    session.hub.expect_cancel("alice")
    assert cluster.run(NODE, ["kill", "-ABRT", server]).returncode == 0
    assert session.hub.wait_for_no_job("alice")
    assert {name for name in traps.files(HOME) - before if "core" in name} == set()


async def test_an_operator_can_have_it_all_loaded(trapped_hub: LiveHub) -> None:
    trapped_hub.end_sessions()
    site = trapped_hub.site.replace("[sessions]\n", "[sessions]\nuser_config = true\n")
    hub = replace(trapped_hub, site=site)
    hub.stop()
    hub.start()
    traps.forget(HOME)
    async with live_session(hub, "trapped") as session:
        status, page = await session.get("lab")
        assert status == 200
        assert [word for word in traps.ON_THE_PAGE if word not in page] == []
        _, exported = await session.get(f"nbconvert/html/{traps.NOTEBOOK}")
        assert [word for word in traps.IN_AN_EXPORT if word in exported] != []
        assert (await session.get("lsp/status"))[0] == 404
        assert traps.marks(HOME) == traps.OF_JUPYTER
