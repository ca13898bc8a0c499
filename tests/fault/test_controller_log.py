"""The means by which each test on Slurm shows that the hub cancelled nothing that it was not told to.

Every test with the fixture `hub` ends with a look at the controller's log. Where `read_cancels` returns
nothing this test fails; without its last lines the fixture itself fails it.
"""

from __future__ import annotations

import pwd

from tests.hub_fixture import LiveHub
from tests.real_cluster.controller_log import Cancel


def submit(hub: LiveHub) -> str:
    """The id of a job of alice's that no hub knows."""
    asked = hub.cluster.run("gateway", ["sbatch", "--parsable", "--wrap=sleep 600"], "alice")
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.strip()


def test_a_cancel_that_nobody_declared_is_seen_and_no_other_signal(hub: LiveHub) -> None:
    uid = pwd.getpwnam("alice").pw_uid
    job, wanted = submit(hub), submit(hub)
    hub.cluster.wait_for_job(job, "RUNNING")
    hub.cluster.run("gateway", ["scancel", "--signal=CONT", job], "alice")
    assert hub.cancels() == ()
    hub.cluster.run("gateway", ["scancel", job], "alice")
    hub.cancel(wanted, "alice")
    assert hub.cancels() == (Cancel(job, uid), Cancel(wanted, uid))
    assert hub.unwanted_cancels() == (Cancel(job, uid),)
    hub.wanted_cancels.add(job)
    assert hub.unwanted_cancels() == ()
