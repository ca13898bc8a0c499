"""Whatever Slurm's commands answer, no running session is given up, and no job is started twice or forgotten.

The commands are the real ones on the real cluster; a wrapper has one of them lie. Without the rule that only
good looks count (`schedulers/ledger.py`) the first lies end the session. Without `Launch._look_for_job` the
lost answer makes an error of a job that runs. Without `Cancellations` the last job goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests import hub_site
from tests.hub_fixture import LiveHub
from tests.real_cluster import processes

from clusterhub.hub.walkthrough import Walk

PATIENCE = 60.0
LOOKS = 3


@contextmanager
def lying(command: str, lie: str) -> Iterator[None]:
    """While this holds, the command lies so."""
    path = hub_site.COMMANDS / f"{command}.lie"
    path.write_text(lie)
    try:
        yield
    finally:
        path.unlink()


def told(command: str) -> int:
    """How often the command has lied so far, to root."""
    try:
        return len((hub_site.COMMANDS / f"{command}.told").read_text().splitlines())
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("lie", ["error", "garbage", "nothing"])
async def test_a_queue_that_cannot_be_read_ends_no_session(hub: LiveHub, lie: str) -> None:
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.start({"profile": "debug"})
        jobs = hub.jobs("alice")
        _, kernel = await walk.run_cell("answer = 6 * 7")
        before = told("squeue")
        with lying("squeue", lie):
            assert processes.wait_until(lambda: told("squeue") >= before + LOOKS, PATIENCE, pause=0.2)
            assert (await walk.model())["servers"][""]["ready"]
        printed, _ = await walk.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
        assert hub.jobs("alice") == jobs


async def test_a_submit_whose_answer_is_lost_makes_one_job_and_its_session_opens(hub: LiveHub) -> None:
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        with lying("sbatch", "lost"):
            await walk.start({"profile": "debug"})
        assert len(hub.jobs("alice")) == 1
        printed, _ = await walk.run_cell("print(6 * 7)")
        assert printed.strip() == "42"


async def test_a_cancel_that_fails_for_a_while_is_tried_until_it_is_taken(hub: LiveHub) -> None:
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        await walk.start({"profile": "debug"})
        jobs = hub.jobs("alice")
        with lying("scancel", "error"):
            await hub.stop_session(walk)
            assert hub.jobs("alice") == jobs
            hub.kill()  # also the next hub knows that it is to end
            hub.start()
            assert hub.jobs("alice") == jobs
        assert hub.wait_for_no_job("alice", PATIENCE)
