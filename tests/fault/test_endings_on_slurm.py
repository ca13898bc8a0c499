"""Whatever ends a session on Slurm, or keeps it from starting, is told by page, REST API and command line.

What another file shows is not shown again: the time limit (tests/browser/test_time.py), a missing or broken
environment, a failing prologue, an exit code (tests/browser/test_refusals.py).

Without `Endings._learn` nobody is told who cancelled, nor how much memory was used; without the call of
`Endings.remember_stop` a stop through the hub is told by nobody. Without the clock of the queue in
`check_patience` a job waits for ever. Without the entries of `LOG_CAUSES` and `LAUNCHER_CAUSES` a
full disk and taken ports are an exit code; with a launcher as patient as the hub it is said that Jupyter did
not start, and not that the hub is out of reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from tests import hub_site
from tests.fault.on_slurm import until
from tests.hub_fixture import LiveHub
from tests.real_cluster import hub as hub_module
from tests.real_cluster import processes

from clusterhub.hub.walkthrough import Walk, WalkFailed
from clusterhub.schedulers.model import Outcome

PATIENCE = 60.0
BUTTON = "Start again with the same choice"


@pytest.fixture
async def bob(hub: LiveHub) -> AsyncIterator[Walk]:
    """Bob, logged in."""
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        yield walk


async def told(
    hub: LiveHub, walk: Walk, server: str, says: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The ending that the REST API tells, once it is like that; page and command line say the same."""
    ending: dict[str, Any] = {}

    async def poll() -> None:
        nonlocal ending
        while True:
            status, ending = await asyncio.to_thread(hub.api, "GET", f"clusterhub/endings/bob/{server}")
            if status == 200 and says(ending):
                return
            await asyncio.sleep(0.2)

    try:
        await asyncio.wait_for(poll(), PATIENCE)
    except asyncio.TimeoutError:
        raise AssertionError(f"of {server} it is said: {ending}") from None
    page = ""

    async def says_so() -> bool:  # not while the server is still being stopped
        nonlocal page
        async with walk.http.get(f"{walk.url}/user/bob/{server}/lab") as answer:
            page = html.unescape(await answer.text())
        return ending["what"] in page

    await until(says_so)
    assert ending["next"] in page
    assert BUTTON in page
    assert all(line in page for line in ending["log"])
    program = str(hub_module.virtual_environment() / "bin" / "clusterhub")
    why = await asyncio.to_thread(
        hub.cluster.run,
        "gateway",
        [program, "why", f"bob/{server}"],
        env={"CLUSTERHUB_SITE": str(hub_module.SITE)},
    )
    assert why.returncode == 0, why.stderr
    assert why.stdout.startswith(ending["what"])
    assert ending["next"] in why.stdout
    return ending


FAULTS = {
    "disk-full": ("A file system is full.", "Remove files you no longer need", "No space left on device"),
    "over-quota": (
        "A file system that you write to is over its quota.",
        "Remove files",
        "Disk quota exceeded",
    ),
    "no-module": ("A module could not be loaded.", "show your operators", 'are unknown: "cuda/99"'),
}
"""Profile, and its ending: what, what to do, a line of the log."""


async def test_what_keeps_a_session_from_starting_is_told(hub: LiveHub, bob: Walk) -> None:
    hub.cluster.run("gateway", ["scontrol", "update", "NodeName=n2", "State=DRAIN", "Reason=test"])
    try:
        await asyncio.gather(*(bob.press_start({"profile": name}, name) for name in (*FAULTS, "deadline")))
        for name, (what, todo, line) in FAULTS.items():
            ending = await told(hub, bob, name, lambda _: True)
            assert ending["what"] == what
            assert todo in ending["next"]
            assert any(line in each for each in ending["log"]), ending["log"]
            assert (ending["outcome"], ending["served"], ending["profile"]) == ("failed", False, name)
        ending = await told(hub, bob, "deadline", lambda _: True)
        assert ending["what"] == "Your session could not end before its deadline."
        assert (ending["outcome"], ending["served"]) == (Outcome.DEADLINE.value, False)
    finally:
        hub.cluster.run("gateway", ["scontrol", "update", "NodeName=n2", "State=RESUME"])
        hub.cluster.wait_for_nodes()


async def test_a_stop_through_the_hub_is_told_as_that_and_is_no_failure_on_the_page(
    hub: LiveHub, bob: Walk
) -> None:
    await bob.press_start({"profile": "held"}, "stopped")
    async for event in bob.progress("stopped"):
        if "it is held" in event.get("message", ""):
            break
    [job] = hub.jobs("bob")
    await hub.stop_session(bob, "stopped")
    status, ending = await asyncio.to_thread(hub.api, "GET", "clusterhub/endings/bob/stopped")
    assert status == 200
    assert (ending["what"], ending["job"]) == ("The session was stopped through the hub.", job)
    async with bob.http.get(f"{bob.url}/user/bob/stopped/lab") as answer:
        page = await answer.text()
    assert "No session is running" in page
    assert BUTTON not in page


HOLD_MEMORY = "import time; held = bytearray(600 * 2**20); time.sleep(3)"
"""Long enough for the scheduler to see it."""

TOO_MUCH_MEMORY = "more = bytearray(4 * 2**30)"


async def end_server_first(hub: LiveHub, walk: Walk, name: str) -> str:
    """When memory is short, the node is to end the session's server, and not only a kernel.

    Returns a kernel's id: one that is started later would inherit that.
    """
    said, kernel = await walk.run_cell("import os, socket; print(socket.gethostname(), os.getppid())", name)
    node, server = said.split()
    done = hub.cluster.run(node, ["sh", "-c", f"echo 1000 >/proc/{server}/oom_score_adj"])
    assert done.returncode == 0, done.stderr
    return kernel


async def test_what_or_who_ended_a_session_that_ran_is_told(hub: LiveHub, bob: Walk) -> None:
    servers = ("memory", "person", "operator", "signal")
    await asyncio.gather(
        *(bob.start({"profile": "interactive", "memory": "1 GiB"}, name) for name in servers)
    )
    jobs = {hub.comment(job).rpartition(":")[2]: job for job in hub.jobs("bob")}
    assert set(jobs) == set(servers)
    hub.cancel(jobs["person"], "bob")
    hub.cancel(jobs["operator"])
    with contextlib.suppress(Exception):  # the server goes before it can answer
        await bob.run_cell("import os; os.kill(os.getppid(), 9)", "signal")
    kernel = await end_server_first(hub, bob, "memory")
    await bob.run_cell(HOLD_MEMORY, "memory", kernel)
    with contextlib.suppress(Exception):
        await bob.run_cell(TOO_MUCH_MEMORY, "memory", kernel)

    ending = await told(hub, bob, "person", lambda ending: "by" in ending["what"])
    assert ending["what"] == "Your session's job was cancelled by you."
    assert (ending["outcome"], ending["served"], ending["job"]) == ("cancelled", True, jobs["person"])
    ending = await told(hub, bob, "signal", lambda _: True)
    assert ending["what"] == "Your session was ended by SIGKILL (signal 9)."
    assert (ending["outcome"], ending["signal"]) == ("failed", 9)
    assert "more of it" in ending["next"]
    if hub.cluster.footprint().cgroups:
        ending = await told(hub, bob, "memory", lambda ending: "seen" in ending["what"])
        assert ending["what"].startswith(
            "Your session used more memory than the 1 GiB that it had asked for; the most that was seen is "
        )
        assert ending["outcome"] == "out of memory"
    else:  # Slurm then looks at the memory itself, ends the job, and calls that a failure
        ending = await told(hub, bob, "memory", lambda _: True)
        assert ending["what"] == "Your session ran out of memory."
    assert ending["next"] == "Start it again with more memory."

    ending = await told(hub, bob, "operator", lambda ending: "by" in ending["what"])
    assert ending["what"] == "Your session's job was cancelled by an operator."
    assert ending["job"] == jobs["operator"]


PORTS = (31000, 31001)
TAKE_PORTS = f"""
import socket, sys
taken = [socket.create_server(("", port)) for port in {PORTS}]
print("taken", flush=True)
sys.stdin.read()
"""
TO_THE_HUB = ["to", "10.77.0.1", "ipproto", "tcp", "dport", "8081"]


@pytest.fixture
def narrow_site(hub: LiveHub) -> Iterator[None]:
    """The hub with two ports for sessions, and little patience with those that wait or start."""
    text = hub_site.text(hub.cluster.footprint().port)
    narrow = text.replace(
        "[sessions]\n",
        f"""\
[sessions]
ports = "{PORTS[0]}-{PORTS[1]}"
start_timeout = "15s"
queue_timeout = "15s"
""",
    )
    assert narrow != text
    hub_module.restart_hub(hub.cluster, narrow)
    yield
    hub_module.restart_hub(hub.cluster, text)


@pytest.fixture
def ports_taken(hub: LiveHub) -> Iterator[None]:
    """Somebody has all of them on the second node."""
    process = hub.cluster.popen("n2", ["python3", "-c", TAKE_PORTS], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    yield
    process.communicate("")


@pytest.mark.usefixtures("narrow_site", "ports_taken")
async def test_what_keeps_job_and_hub_from_meeting_is_told(hub: LiveHub) -> None:
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        await asyncio.gather(
            walk.press_start({"profile": "second-node"}, "ports"),
            walk.press_start({"profile": "other-version"}, "version"),
            walk.press_start({"profile": "held"}, "queued"),
        )
        assert processes.wait_until(lambda: hub.expect_cancel("bob", "queued") != [], 10, pause=0.2)
        ending = await told(hub, walk, "ports", lambda _: True)
        assert ending["what"] == "All ports that sessions may use on the node, 31000 to 31001, are taken."
        assert "another node may have one free" in ending["next"]
        ending = await told(hub, walk, "version", lambda _: True)
        assert "of another version" in ending["what"]
        ending = await told(hub, walk, "queued", lambda _: True)
        assert ending["what"] == "The job waited for 15s, as long as is allowed here."
        assert "Choose a profile that asks for less" in ending["next"]

        cut = hub.cluster.run("n1", ["ip", "rule", "add", "pref", "1", *TO_THE_HUB, "prohibit"])
        assert cut.returncode == 0, cut.stderr
        try:
            with pytest.raises(WalkFailed, match="The node could not reach the hub"):
                await walk.start({"profile": "first-node"}, "away")
            ending = await told(hub, walk, "away", lambda _: True)
        finally:
            hub.cluster.run("n1", ["ip", "rule", "del", "pref", "1"])
        assert "nodes must reach the address that [hub] internal_url names" in ending["next"]
        assert ending["where"].startswith(f"job {ending['job']} on n1")
        assert ending["served"] is False
