"""The clock of a node is off: by minutes that munge allows, and by more.

libfaketime shifts every clock that the node's daemons and its session read. The hub compares no time of a
node with its own: with a check of the age of what a node says, the first test fails. Where a hub that is
restarted waits for what it cannot have, such as the node's daemons, the second does. Without `_CLOCKS` in
`clusterhub.spawner.tickets` the person reads in the last one that a credential was refused, and not why.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests import hub_site
from tests.fault.on_slurm import until
from tests.fault.visits import is_ready, shows
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster, processes

from clusterhub.hub.walkthrough import Walk

TEN_MINUTES = 600


def shift(seconds: int) -> tuple[str, ...]:
    """The variables that shift a process's clock; for several threads, and processes of several accounts."""
    [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return (f"LD_PRELOAD={library}", f"FAKETIME={seconds:+d}", "FAKETIME_DISABLE_SHM=1")


@contextmanager
def clock_off(cluster: RealCluster, seconds: int) -> Iterator[None]:
    """While this holds, the clock of n1 is off by so much, for its munged and its slurmd."""
    daemons = [daemon for daemon in cluster.every_daemon() if daemon.host.name == "n1"]
    assert [daemon.name for daemon in daemons] == ["munge", "slurmd"]
    try:
        for daemon in daemons:
            cluster.stop(daemon)
            cluster.start(replace(daemon, argv=("/usr/bin/env", *shift(seconds), *daemon.argv)))
        yield
    finally:
        for daemon in daemons:
            cluster.stop(daemon)
            cluster.start(daemon)
        cluster.wait_for_nodes()


@pytest.mark.parametrize("seconds", [240, -240], ids=["ahead", "behind"])
async def test_a_session_starts_where_the_clock_is_off_by_what_munge_allows(
    hub: LiveHub, seconds: int
) -> None:
    hub_site.CLOCK.write_text(" ".join(shift(seconds)))
    with clock_off(hub.cluster, seconds):
        async with Walk.begin(hub.url, "bob") as walk:
            await walk.log_in(hub.cluster.people["bob"].password)
            await walk.start({"profile": "other-clock"})
            printed, _ = await walk.run_cell("import time; print(time.time())")
            assert float(printed) - time.time() == pytest.approx(seconds, abs=60)
            status, session = hub.api("GET", "clusterhub/sessions/bob")
            assert (status, session["state"]) == (200, "running")
            assert 1500 < session["remaining_s"] <= 1800
            await hub.stop_session(walk)


async def test_a_session_goes_on_when_the_clock_of_its_node_jumps_by_ten_minutes(hub: LiveHub) -> None:
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.start({"profile": "debug"})
        jobs = hub.jobs("alice")
        _, kernel = await walk.run_cell("answer = 6 * 7")
        with clock_off(hub.cluster, -TEN_MINUTES):
            hub.kill()
            hub.start()
            await until(lambda: is_ready(walk))
            printed, _ = await walk.run_cell("print(answer)", kernel=kernel)
            assert printed.strip() == "42"
        assert hub.jobs("alice", "RUNNING") == jobs


async def test_a_session_that_comes_up_when_the_clock_has_jumped_reads_that_it_is_the_clocks(
    hub: LiveHub,
) -> None:
    words = "The clocks of the node and of the hub differ by more than munge allows"
    hub_site.GO_ON.unlink(missing_ok=True)
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        await walk.press_start({"profile": "slow-prologue"})
        assert processes.wait_until(lambda: hub.jobs("bob", "RUNNING") != [], 30, pause=0.1)
        with clock_off(hub.cluster, -TEN_MINUTES):
            hub_site.GO_ON.touch()
            assert processes.wait_until(lambda: words in hub.log(), 30, pause=0.1)
        await until(lambda: shows(walk, words))
