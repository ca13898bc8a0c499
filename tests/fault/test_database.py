"""The hub's database is locked, read-only, full, frozen or away for a while: nothing is lost, people read it.

On the local engine. "A while" is seconds here: nothing on the way has a longer time constant, but the
patience of a job that boards (`[sessions] start_timeout`), which is minutes.

Without the gate of `clusterhub.hub.application` the pages are JupyterHub's own errors, or do not come. Where
`launcher.persist` takes 503 for a refusal a job that boards meanwhile ends. Without `until_database` in
`ClusterSpawner.poll` a session that ended meanwhile is stopping for ever; without `Durable.see_it_stopped`
one that was stopped is.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import aiohttp
import pytest
from tests.fault.conftest import running_demo, until
from tests.fault.databases import FAULTS, Faulty, postgresql_stopped, sqlite_locked

from clusterhub.hub.walkthrough import Walk, WalkFailed

WORDS = "cannot use its database at the moment"


@pytest.fixture
def faulty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Faulty]:
    fault: Callable[[Path], AbstractContextManager[Faulty]] = request.param
    with fault(tmp_path / "demo") as faulty:
        yield faulty


each_fault = pytest.mark.parametrize("faulty", FAULTS, indirect=True, ids=lambda fault: fault.__name__)
one_of_each_kind = pytest.mark.parametrize(
    "faulty", [sqlite_locked, postgresql_stopped], indirect=True, ids=lambda fault: fault.__name__
)


async def asked(walk: Walk, path: str) -> tuple[int, str]:
    """Status and words of what the hub answers."""
    async with walk.http.get(walk.url + path) as answer:
        text = await answer.text()
    return answer.status, " ".join(
        re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", text, flags=re.DOTALL).split()
    )


def states(faulty: Faulty) -> list[str]:
    """The state of each job there ever was."""
    return [record["state"] for record in faulty.demo.records()]


async def until_answered(walk: Walk) -> None:
    """Returns when the hub knows its people again."""

    async def answers() -> bool:
        try:
            return (await asked(walk, f"/hub/api/users/{walk.person}"))[0] == 200
        except aiohttp.ClientError:
            return False  # it is being started

    await until(answers)


async def until_ready(walk: Walk, server: str) -> None:
    """Returns when that server can be used."""

    async def ready() -> bool:
        return bool((await walk.model())["servers"].get(server, {}).get("ready"))

    await until(ready)


@each_fault
async def test_sessions_go_on_and_queued_jobs_keep_their_place_while_the_database_is_away(
    faulty: Faulty,
) -> None:
    async with Walk.begin(faulty.demo.url, getpass.getuser()) as walk:
        await walk.log_in(faulty.demo.password)
        await walk.start({"profile": "small"})
        _, kernel = await walk.run_cell("x = 6")
        await walk.press_start({"profile": "small"}, "waiting")
        await until(lambda: states(faulty) == ["running", "queued"])
        faulty.take_away()
        await until(lambda: is_told(walk))
        status, page = await asked(walk, "/hub/home")
        assert (status, WORDS in page, "Traceback" in page) == (503, True, False)
        assert await walk.run_cell("print(x * 7)", kernel=kernel) == ("42\n", kernel)
        with pytest.raises(WalkFailed, match=f"{WORDS}.*was not done"):
            await walk.press_start({"profile": "small"}, "another")
        with pytest.raises(WalkFailed, match=f"{WORDS}.*was not done"):
            await walk.stop()
        assert states(faulty) == ["running", "queued"]
        faulty.give_back()
        await until_answered(walk)
        servers = (await walk.model())["servers"]
        assert servers[""]["ready"]
        assert servers["waiting"]["pending"] == "spawn"
        assert states(faulty) == ["running", "queued"]
        await walk.stop()
        await until_ready(walk, "waiting")
        printed, _ = await walk.run_cell("print(6 * 7)", "waiting")
        assert printed == "42\n"
        assert len(faulty.demo.jobs) == 2


@one_of_each_kind
async def test_a_job_that_boards_while_the_database_is_away_gets_in_when_it_is_back(faulty: Faulty) -> None:
    async with Walk.begin(faulty.demo.url, getpass.getuser()) as walk:
        await walk.log_in(faulty.demo.password)
        await walk.press_start({"profile": "waits"})
        await until(lambda: states(faulty) == ["running"])
        faulty.take_away()
        await until(lambda: is_told(walk))
        (faulty.demo.directory / "go-on").touch()
        await until(lambda: faulty.demo.hub_log_has(r"503 POST /hub/api/clusterhub/claim"))
        faulty.give_back()
        await until_answered(walk)
        await until_ready(walk, "")
        printed, _ = await walk.run_cell("print(6 * 7)")
        assert printed == "42\n"
        assert len(faulty.demo.jobs) == 1


@one_of_each_kind
async def test_a_session_that_ends_while_the_database_is_away_can_be_started_again(faulty: Faulty) -> None:
    async with Walk.begin(faulty.demo.url, getpass.getuser()) as walk:
        await walk.log_in(faulty.demo.password)
        await walk.start({"profile": "small"})
        _, kernel = await walk.run_cell("import os, threading")
        faulty.take_away()
        await until(lambda: is_told(walk))
        # Its process tree is Jupyter and the kernel: what a kernel does to its parent ends the job.
        await walk.run_cell("threading.Timer(0.2, os.kill, (os.getppid(), 9)).start()", kernel=kernel)
        await until(lambda: states(faulty) == ["ended"])
        faulty.give_back()
        await until_answered(walk)

        async def has_stopped() -> bool:
            return not (await walk.model())["servers"]

        await until(has_stopped)
        _, page = await asked(walk, f"/hub/user/{walk.person}/lab")
        assert "Your session" in page
        await walk.start({"profile": "small"})
        assert states(faulty) == ["ended", "running"]


@one_of_each_kind
async def test_a_stop_that_the_database_does_not_see_is_done_when_it_is_back(faulty: Faulty) -> None:
    async with Walk.begin(faulty.demo.url, getpass.getuser()) as walk:
        await walk.log_in(faulty.demo.password)
        await walk.start({"profile": "small"})
        stopping = asyncio.create_task(walk.stop())
        await until(
            lambda: states(faulty) != ["running"]
        )  # the hub has told the engine, and goes on to note it
        faulty.take_away()
        await until(lambda: is_told(walk))
        faulty.give_back()
        await until_answered(walk)
        await asyncio.gather(stopping, return_exceptions=True)

        async def has_stopped() -> bool:
            return not (await walk.model())["servers"]

        await until(has_stopped)
        await walk.start({"profile": "small"})
        assert states(faulty) == ["ended", "running"]


@one_of_each_kind
async def test_a_hub_that_is_restarted_without_its_database_waits_for_it(faulty: Faulty) -> None:
    """Where `Supervisor._trouble_with` sees none the hub is given up after some deaths, and the proxy too."""
    demo = faulty.demo
    async with Walk.begin(demo.url, getpass.getuser()) as walk:
        await walk.log_in(demo.password)
        await walk.start({"profile": "small"})
        _, kernel = await walk.run_cell("x = 6")
        await walk.press_start({"profile": "small"}, "waiting")
        await until(lambda: states(faulty) == ["running", "queued"])
        faulty.take_away()
        os.kill(demo.pid("jupyterhub"), signal.SIGKILL)
        await until(lambda: demo.has_said("waits for its database"))
        assert await walk.run_cell("print(x * 7)", kernel=kernel) == ("42\n", kernel)
        faulty.give_back()
        await until_answered(walk)
        assert await walk.run_cell("print(x * 7)", kernel=kernel) == ("42\n", kernel)
        await until(lambda: is_pending(walk, "waiting"))
        assert states(faulty) == ["running", "queued"]
        await walk.stop()
        await until_ready(walk, "waiting")
        assert len(demo.jobs) == 2


async def is_told(walk: Walk) -> bool:
    """True once the hub says that its database is away."""
    return (await asked(walk, f"/hub/api/users/{walk.person}"))[0] == 503


async def is_pending(walk: Walk, server: str) -> bool:
    """True while that server is being started."""
    return (await walk.model())["servers"].get(server, {}).get("pending") == "spawn"


FAILS_ONCE = """\
import sqlite3
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine

@event.listens_for(Engine, "before_cursor_execute")
def fail_once(_connection, _cursor, statement, *_):
    armed = Path("{armed}")
    if statement.startswith("{beginning}") and armed.exists():
        armed.unlink()
        raise sqlite3.OperationalError("database is locked")
"""
"""A fake, for what cannot be timed: the database goes away right before a statement of JupyterHub's."""


@pytest.mark.parametrize("beginning", ["INSERT INTO servers", "INSERT INTO api_tokens", "UPDATE servers SET"])
async def test_a_start_that_cannot_be_noted_loses_no_job_and_can_be_pressed_again(
    beginning: str, tmp_path: Path
) -> None:
    """The last of them is the session's URL: without `Durable.taken_up` its job waits in vain."""
    armed = tmp_path / "armed"
    drop_in = tmp_path / "demo" / "conf.d" / "fails.py"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text(FAILS_ONCE.format(armed=armed, beginning=beginning))
    with running_demo(tmp_path / "demo") as demo:
        async with Walk.begin(demo.url, getpass.getuser()) as walk:
            await walk.log_in(demo.password)
            armed.touch()
            if beginning.startswith("INSERT"):
                with pytest.raises(WalkFailed, match=WORDS):
                    await walk.press_start({"profile": "small"})
                await until_answered(walk)
                assert demo.jobs == []
                await walk.start({"profile": "small"})
            else:
                try:
                    await walk.press_start({"profile": "small"})
                except WalkFailed as refusal:  # a start that is over before the click is answered
                    assert re.search(WORDS, str(refusal))  # noqa: PT017 - it need not be
            await until(lambda: not armed.exists())
            await until_answered(walk)
            await until_ready(walk, "")
            printed, _ = await walk.run_cell("print(6 * 7)")
            assert printed == "42\n"
            assert [record["state"] for record in demo.records()] == ["running"]
            await walk.stop()
