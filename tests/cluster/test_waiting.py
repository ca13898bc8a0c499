"""What a person reads while a job waits: the reason, what to do, the position; on the real queue.

With each array counted as one job (`slurm_positions.count_tasks`) two jobs are ahead instead of six. Without
the rule on jobs that have others ahead of them by their reason (`read_positions`) alice is the first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest
from tests.hub_fixture import LiveHub
from tests.real_cluster import processes

from clusterhub.hub.walkthrough import Walk
from clusterhub.schedulers.model import CommandResult, Position
from clusterhub.schedulers.slurm import SlurmScheduler

PATIENCE = 40.0

OTHERS: list[str] = []
"""Jobs of people who have nothing to do with the hub."""

SERVERS = {
    "held": ("held", ["it is held, by you or for you (JobHeldUser).", "scontrol release"]),
    "down": ("debug", ["the partition is closed", "(PartitionDown)", "Choose another profile."]),
    "node": ("second-node", ["nodes that it needs are down or drained: n2 (ReqNodeNotAvail)"]),
    "limit": (
        "quality",
        ["you run as many jobs as you may at once (QOSMaxJobsPerUserLimit). It starts when"],
    ),
}
"""Server, profile, and what its waiting page says; none of these waits for its turn."""


def scontrol(hub: LiveHub, *words: str) -> None:
    done = hub.cluster.run("gateway", ["scontrol", "update", *words])
    assert done.returncode == 0, done.stderr


def submit(hub: LiveHub, person: str, *options: str) -> str:
    """A job of that person's, beside the hub."""
    argv = [
        "sbatch",
        "--parsable",
        "--output=/dev/null",
        "--chdir=/",
        "--time=10",
        *options,
        "--wrap=sleep 600",
    ]
    done = hub.cluster.run("gateway", argv, person)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def full(hub: LiveHub) -> Iterator[None]:
    """One node full with a job of bob's, the other drained; one partition closed; one job each of a QOS."""

    def limit(value: int) -> None:
        hub.cluster.run(
            "gateway", ["sacctmgr", "-i", "modify", "qos", "short", "set", f"MaxJobsPerUser={value}"]
        )

    limit(1)
    scontrol(hub, "PartitionName=debug", "State=DOWN")
    scontrol(hub, "NodeName=n2", "State=DRAIN", "Reason=test")
    hub.cluster.wait_for_job(submit(hub, "bob", "--qos=short", "--nodelist=n1", "--exclusive"), "RUNNING")
    try:
        yield
    finally:
        for job in (*hub.expect_cancel("bob"), *OTHERS):
            hub.cancel(job)
        OTHERS.clear()
        limit(-1)
        scontrol(hub, "PartitionName=debug", "State=UP")
        scontrol(hub, "NodeName=n2", "State=RESUME")
        assert processes.wait_until(lambda: not hub.jobs("bob") and not hub.jobs("carol"), PATIENCE)
        hub.cluster.wait_for_nodes()


async def until_said(walk: Walk, server: str, *words: str) -> str:
    """What the waiting page says, once it says all that."""
    message = ""

    async def read() -> str:
        nonlocal message
        async for event in walk.progress(server):
            message = event.get("message", "")
            if all(word in message for word in words):
                return message
        raise AssertionError(f"the waiting page of {server} ended: {message}")

    with contextlib.suppress(asyncio.TimeoutError):
        return await asyncio.wait_for(read(), PATIENCE)
    raise AssertionError(f"the waiting page of {server} says: {message}")


@pytest.mark.usefixtures("full")
async def test_the_waiting_page_says_why_what_to_do_and_how_many_are_ahead(hub: LiveHub) -> None:
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        await walk.press_start({"profile": "interactive"}, "first")
        await until_said(
            walk, "first", "it is next, as soon as enough cores", "(Resources)", "No jobs are ahead of it"
        )
        OTHERS.append(submit(hub, "carol", "--partition=interactive", "--array=1-5"))
        await walk.press_start({"profile": "interactive"}, "second")
        await asyncio.gather(
            *(walk.press_start({"profile": profile}, name) for name, (profile, _) in SERVERS.items())
        )
        said = await until_said(
            walk,
            "second",
            "waits: other jobs are ahead of it in the queue (Priority).",
            "6 jobs are ahead of it in partition interactive.",
        )
        assert "Expected to start at" in said or "When it will start is not known yet." in said
        for name, (_, words) in SERVERS.items():
            said = await until_said(walk, name, *words)
            assert "ahead" not in said
            assert "Expected" not in said
    status, session = hub.api("GET", "clusterhub/sessions/bob/second")
    assert status == 200
    assert (session["state"], session["reason"], session["error"]) == ("queued", "Priority", None)
    assert session["positions"] == [{"partition": "interactive", "ahead": 6, "at_least": False}]
    assert session["job"] in hub.jobs("bob")
    assert hub.api("GET", "clusterhub/sessions/bob")[0] == 404


@pytest.fixture
def queue_of_two(hub: LiveHub) -> Iterator[str]:
    """Bob has both nodes and is the next to have them; alice's job, whose id this is, waits behind."""
    jobs = [submit(hub, "bob", "--nodes=2", "--exclusive"), submit(hub, "bob"), submit(hub, "alice")]
    yield jobs[-1]
    for job in jobs:
        hub.cancel(job)
    assert hub.wait_for_no_job("bob")


@pytest.fixture
def privately(hub: LiveHub) -> Iterator[Callable[[], None]]:
    """Calling this makes jobs private on this cluster."""
    configuration = hub.cluster.data / "etc" / "slurm" / "slurm.conf"
    text = configuration.read_text()

    def reconfigure(text: str) -> None:
        configuration.write_text(text)
        done = hub.cluster.run("gateway", ["scontrol", "reconfigure"])
        assert done.returncode == 0, done.stderr

    yield lambda: reconfigure(text + "PrivateData=jobs\n")
    reconfigure(text)
    hub.cluster.wait_for_nodes()


def test_nobody_is_said_to_be_the_first_where_jobs_are_private(
    hub: LiveHub, queue_of_two: str, privately: Callable[[], None]
) -> None:
    slurm = SlurmScheduler()

    def answer(argv: tuple[str, ...], user: str | None = None) -> CommandResult:
        done = hub.cluster.run("gateway", argv, user)
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def position(user: str | None = None) -> tuple[Position, ...]:
        return slurm.parse_positions(answer(slurm.positions(), user)).get(queue_of_two, ())

    behind = (Position(1, "interactive"),)
    assert processes.wait_until(lambda: position() == behind, PATIENCE)
    assert position("alice") == behind
    assert slurm.parse_privacy(answer(slurm.privacy())) is False
    privately()
    assert slurm.parse_privacy(answer(slurm.privacy(), "alice")) is True
    assert position() == behind, "root sees all"
    assert position("alice") == (), "she sees her own job alone"
