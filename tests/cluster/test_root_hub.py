"""A hub may run as root, too; and one that did becomes one that does not, and its sessions stay.

Without handing over what root's hub had left in its state directory, the second hub cannot open its database.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests import hub_site
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster, hub
from tests.real_cluster.layout import DATA, HUB_PORT, SERVICE_ACCOUNT

from clusterhub.hub.walkthrough import Walk

ROOTS = hub.Place(DATA / "root-hub", HUB_PORT, "root")


@pytest.fixture(scope="module")
def live_hub(cluster: RealCluster, _hub_of_somebody: None) -> Iterator[LiveHub]:
    """A hub as root."""
    port = cluster.footprint().port
    live = LiveHub(cluster, f"http://127.0.0.1:{port}", hub_site.text(port), place=ROOTS)
    hub_site.prepare()
    shutil.chown(hub_site.STATE_DIRECTORY, "root")
    live.start()
    yield live
    live.stop()
    hub_site.remove()


async def test_a_session_begun_as_root_goes_on_under_a_hub_that_is_not(live_hub: LiveHub) -> None:
    as_root, without = live_hub, replace(live_hub, place=hub.USUAL)
    password = as_root.cluster.people["alice"].password
    owner = hub_site.STATE_DIRECTORY.owner
    async with Walk.begin(as_root.url, "alice") as walk:
        await walk.log_in(password)
        await walk.start({"profile": "debug"}, "other")
        await as_root.stop_session(walk, "other")
        await walk.start({"profile": "debug"})
        _, kernel = await walk.run_cell("answer = 6 * 7")
        assert owner() == "root"
        as_root.stop()
        without.start()
        assert owner() == SERVICE_ACCOUNT
        try:
            # The same cookie, the same kernel: the former hub's keys and database are the new one's.
            assert (await walk.run_cell("print(answer)", kernel=kernel))[0].strip() == "42"
            await as_root.stop_session(walk)
        finally:
            without.end_sessions()
            without.stop()
    assert as_root.wait_for_no_job("alice")
