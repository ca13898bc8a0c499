"""A coordinator of the account, who may hold, change and cancel its jobs, gets nothing of a session by that.

Where `clusterhub.spawner.boarding.check_job` does not compare tags, a job that was given another one boards.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cluster.test_audit_log import audited, wait_for
from tests.fault.on_slurm import person, until
from tests.fault.visits import shows
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster

COORDINATOR, VICTIM = "alice", "bob"
BOARDED_NOT = "is not this session's"


@pytest.fixture(scope="module", autouse=True)
def account(cluster: RealCluster) -> Iterator[None]:
    """The coordinator looks after the account of both."""
    name = next(one.account for one in cluster.people.values() if one.name == VICTIM)
    who = ["coordinator", f"account={name}", f"names={COORDINATOR}"]
    added = cluster.run("gateway", ["sacctmgr", "--immediate", "add", *who])
    assert added.returncode == 0, added.stderr
    yield
    cluster.run("gateway", ["sacctmgr", "--immediate", "delete", *who])


def changes(hub: LiveHub, job: str, what: str) -> None:
    """The coordinator changes a job; that Slurm lets them is what makes them an attacker."""
    done = hub.cluster.run("gateway", ["scontrol", "update", f"job={job}", what], COORDINATOR)
    assert done.returncode == 0, done.stderr


async def test_a_job_that_is_given_another_tag_boards_for_nobody(hub: LiveHub) -> None:
    since = len(audited())
    async with person(hub, VICTIM) as victim, person(hub, COORDINATOR) as coordinator:
        await victim.press_start({"profile": "held"})
        await until(lambda: has_job(hub, VICTIM))
        [job] = hub.jobs(VICTIM)
        changes(hub, job, f"comment=clusterhub:under-test:{COORDINATOR}:")
        await coordinator.start({"profile": "debug"})
        assert job not in hub.jobs(COORDINATOR)
        released = hub.cluster.run("gateway", ["scontrol", "release", job], COORDINATOR)
        assert released.returncode == 0, released.stderr
        line = wait_for("boarding", since, who="job", person=VICTIM, job=job, outcome="refused")
        assert BOARDED_NOT in line["why"]
        await until(lambda: shows(victim, "did not accept"))
        printed, _ = await coordinator.run_cell("import os; print(os.environ['USER'])")
        assert printed.strip() == COORDINATOR
        await hub.stop_session(coordinator)


async def has_job(hub: LiveHub, name: str) -> bool:
    """Whether they have a job."""
    return bool(hub.jobs(name))
