"""Nodes that fail, and nodes that the hub cannot reach while the job on them lives.

Without `ClusterSpawner._was_requeued` the hub counts a session as running whose node is gone. Without
`Reach` whoever visits a session that is cut off gets no answer. Without `RestoredServer` a hub that is
restarted meanwhile cancels its job.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from tests.fault.on_slurm import until, until_said
from tests.fault.visits import is_ready, let_go, page, shows, told
from tests.hub_fixture import LiveHub
from tests.real_cluster import processes

from clusterhub.hub.walkthrough import Walk

REQUEUED = "what kernels held in memory is lost"
UNREACHABLE = "The hub cannot reach job"


@pytest.fixture
def nodes(hub: LiveHub) -> Iterator[LiveHub]:
    """The hub of a cluster whose nodes are all back in the end."""
    yield hub
    for host in ("n1", "n2"):
        hub.cluster.power_on(host)
        hub.cluster.run("gateway", ["scontrol", "update", f"nodename={host}", "state=resume"])
    hub.cluster.wait_for_nodes(60)


@dataclass(frozen=True)
class Running:
    """A session, with its job and the node where that runs."""

    walk: Walk
    job: str
    node: str


def node_of(hub: LiveHub, job: str) -> str:
    """Where a job runs."""
    return hub.cluster.run("gateway", ["squeue", "-h", "-o", "%N", "-j", job]).stdout.strip()


@asynccontextmanager
async def running(hub: LiveHub, name: str = "alice", profile: str = "interactive") -> AsyncIterator[Running]:
    """A session of theirs."""
    async with Walk.begin(hub.url, name) as walk:
        await walk.log_in(hub.cluster.people[name].password)
        await walk.start({"profile": profile})
        [job] = hub.jobs(name)
        yield Running(walk, job, node_of(hub, job))


def lose(hub: LiveHub, node: str) -> None:
    """The node's power fails, and the scheduler finds out; by itself it takes SlurmdTimeout for that."""
    hub.cluster.power_off(node)
    down = ["scontrol", "update", f"nodename={node}", "state=down", "reason=power"]
    hub.cluster.run("gateway", down)
    # What the node had sent before may put it back into service once (ReturnToService=2).
    back = ["sinfo", "-h", "-n", node, "-t", "idle,alloc,mix", "-o", "%n"]
    if processes.wait_until(lambda: bool(hub.cluster.run("gateway", back).stdout.strip()), 2, pause=0.2):
        hub.cluster.run("gateway", down)


async def test_a_session_whose_node_fails_begins_anew_on_another_also_past_a_killed_hub(
    nodes: LiveHub,
) -> None:
    hub = nodes
    async with running(hub) as session:
        walk, job = session.walk, session.job
        await walk.run_cell("answer = 6 * 7")
        lose(hub, session.node)
        await told(walk, REQUEUED)
        assert hub.jobs("alice", "PENDING") == [job]
        hub.kill()
        hub.start()
        await told(walk, REQUEUED)
        let_go(hub, job)
        await until(lambda: is_ready(walk))
        assert hub.jobs("alice") == [job]
        assert node_of(hub, job) != session.node
        printed, _ = await walk.run_cell("print('answer' in globals())")
        assert printed.strip() == "False"


async def test_a_session_that_is_not_run_twice_says_that_its_node_failed(nodes: LiveHub) -> None:
    hub = nodes
    async with running(hub, "bob", "not-requeued") as session:
        lose(hub, session.node)
        words = f"The node {session.node} that your session ran on failed."
        await until(lambda: shows(session.walk, words))
        status, ending = hub.api("GET", "clusterhub/endings/bob")
        assert (status, ending["what"], ending["outcome"]) == (200, words, "node failed")
        assert hub.jobs("bob") == []


async def test_a_session_that_waits_for_a_node_that_failed_starts_when_it_is_back(nodes: LiveHub) -> None:
    hub = nodes
    lose(hub, "n1")
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.press_start({"profile": "debug"})  # a partition of n1 alone
        await until_said(walk, "are down")
        [job] = hub.jobs("alice")
        hub.cluster.power_on("n1")
        await until(lambda: is_ready(walk))
        assert hub.jobs("alice") == [job]


async def test_a_session_out_of_the_hubs_reach_says_so_and_is_back_with_its_variables(
    nodes: LiveHub,
) -> None:
    hub = nodes
    async with running(hub) as session:
        walk = session.walk
        _, kernel = await walk.run_cell("answer = 6 * 7")
        hub.cluster.disconnect(session.node)
        await until(lambda: shows(walk, UNREACHABLE))
        hub.kill()
        hub.start()
        await until(lambda: shows(walk, UNREACHABLE))
        hub.cluster.reconnect(session.node)
        await until(lambda: is_ready(walk))
        printed, _ = await walk.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
        assert hub.jobs("alice", "RUNNING") == [session.job]


async def test_a_session_out_of_reach_can_be_stopped(nodes: LiveHub) -> None:
    hub = nodes
    async with running(hub) as session:
        hub.cluster.disconnect(session.node)
        await until(lambda: shows(session.walk, UNREACHABLE))
        await hub.stop_session(session.walk)
        assert UNREACHABLE not in await page(session.walk)
        hub.cluster.reconnect(session.node)
        assert processes.wait_until(lambda: hub.jobs("alice", "RUNNING,COMPLETING") == [], 60, pause=0.2)
