"""Whatever Slurm's commands answer, no session is given up, and no job is started twice or forgotten.

The commands are the real ones on the real cluster; a wrapper has one of them lie. Where a look that failed
counts as one without jobs (`ledger.looked` in the place of `ledger.look_failed`), the first lie fails it.
Without `Watch.timeout` the look that hangs is never followed by another. Without `Launch._look_for_job` the
lost answers make errors of jobs that run, and without `Launch._boarded` a session that serves is not opened
before its submit has been cut off.
"""

from __future__ import annotations

from tests.fault.on_slurm import (
    AWAY,
    end_hanging,
    hanging,
    lying,
    person,
    release,
    server,
    submitted,
    until_ready,
    until_said,
    until_told,
)
from tests.hub_fixture import LiveHub

LIES = {
    "error": (2, rf"{AWAY}.* waits"),
    "garbage": (2, rf"{AWAY}.* waits"),
    "cut": (2, rf"{AWAY}.* waits"),
    "nothing": (3, "does not list the job"),
    "late": (1, "waits"),
}
"""What squeue does and how many looks have begun, and what the page of a session that waits makes of it."""


async def test_whatever_the_queue_answers_sessions_that_run_and_that_wait_go_on(hub: LiveHub) -> None:
    async with person(hub, "alice") as alice, person(hub, "bob") as bob:
        await bob.press_start({"profile": "held"})
        await alice.start({"profile": "debug"})
        waiting = await submitted(hub, "bob")
        jobs = hub.jobs("alice")
        _, kernel = await alice.run_cell("answer = 6 * 7")
        await until_said(bob, rf"Job {waiting} waits")

        for lie, (looks, said) in LIES.items():
            with lying("squeue", lie):
                await until_told("squeue", looks)
                assert (await server(alice))["ready"]
                assert (await server(bob))["pending"] == "spawn"
                await until_said(bob, said)
            assert hub.jobs("alice") + hub.jobs("bob") == [*jobs, waiting], lie

        printed, _ = await alice.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
        release(hub, waiting)
        await until_ready(bob)
        assert hub.jobs("alice") + hub.jobs("bob") == [*jobs, waiting]


async def test_a_look_that_hangs_is_cut_off_and_looks_go_on_one_at_a_time(hub: LiveHub) -> None:
    async with person(hub, "bob") as bob:
        await bob.press_start({"profile": "held"})
        waiting = await submitted(hub, "bob")
        await until_said(bob, rf"Job {waiting} waits")
        with lying("squeue", "hang"):
            await until_told("squeue")
            assert (await server(bob))["pending"] == "spawn"
            assert hanging(hub) == 1, "the hub's loop waited for the scheduler"
            await until_said(bob, rf"{AWAY}.*Job {waiting} waits")
            await until_told("squeue")
            assert hanging(hub) == 1
        end_hanging(hub)
        release(hub, waiting)
        await until_ready(bob)
        assert hub.jobs("bob") == [waiting]


async def test_a_submit_whose_answer_is_lost_makes_one_job_and_its_session_opens(hub: LiveHub) -> None:
    async with person(hub, "alice") as alice, person(hub, "bob") as bob:
        with lying("sbatch", "lost"):
            await bob.press_start({"profile": "held"})
            await alice.start({"profile": "debug"})
            await until_said(bob, "No certain answer came to the submission; looking for the job")
            [waiting], [_] = hub.jobs("bob"), hub.jobs("alice")
            await until_said(bob, rf"Job {waiting} waits")
        printed, _ = await alice.run_cell("print(6 * 7)")
        assert printed.strip() == "42"
        release(hub, waiting)
        await until_ready(bob)
        assert hub.jobs("bob") == [waiting]


async def test_a_session_opens_although_its_submit_never_answers(hub: LiveHub) -> None:
    async with person(hub, "alice") as walk:
        with lying("sbatch", "taken-and-hang"):
            await walk.start({"profile": "debug"})
            assert hanging(hub) == 1, "it was waited for the answer"
        end_hanging(hub)  # else the stop waits for it
        assert len(hub.jobs("alice")) == 1
        printed, _ = await walk.run_cell("print(6 * 7)")
        assert printed.strip() == "42"
