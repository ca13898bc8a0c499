"""A scheduler that is away ends no session, and nothing is started twice when it is back."""

from __future__ import annotations

import pytest
from tests.hub_fixture import LiveHub

from clusterhub.hub.walkthrough import Walk, WalkFailed


async def test_sessions_go_on_and_starts_are_refused_in_words_while_the_controller_is_away(
    hub: LiveHub,
) -> None:
    cluster = hub.cluster
    async with Walk.begin(hub.url, "alice") as alice, Walk.begin(hub.url, "bob") as bob:
        await alice.log_in(cluster.people["alice"].password)
        await bob.log_in(cluster.people["bob"].password)
        await alice.start({"profile": "debug"})
        jobs = hub.jobs("alice")
        _, kernel = await alice.run_cell("answer = 6 * 7")
        cluster.stop(cluster.slurmctld)
        try:
            hub.kill()
            hub.start()
            printed, _ = await alice.run_cell("print(answer)", kernel=kernel)
            assert printed.strip() == "42"
            with pytest.raises(WalkFailed, match=r"(?i)slurm|scheduler|controller"):
                await bob.start({"profile": "debug"})
            assert (await alice.model())["servers"][""]["ready"]
        finally:
            cluster.start(cluster.slurmctld)
            cluster.wait_for_nodes()
        assert hub.jobs("alice") == jobs
        await bob.start({"profile": "debug"})
        assert len(hub.jobs("bob")) == 1
        printed, _ = await alice.run_cell("print(answer)", kernel=kernel)
        assert printed.strip() == "42"
