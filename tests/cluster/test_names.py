"""An account whose name a directory gives out and `useradd` would not: from the login to the stop."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster
from tests.real_cluster.layout import PEOPLE, SHARED_GROUP
from tests.tokens import own_token
from yarl import URL

from clusterhub.hub.walkthrough import Walk

NAME = "first.last+tag@example.org"
PASSWORD = "a-long-one-for-tests"


@pytest.fixture
def odd_person(cluster: RealCluster) -> Iterator[str]:
    """An account of that name on every host of the cluster, which share their users."""
    home = PEOPLE[0].home.parent / NAME
    useradd = ["/usr/sbin/useradd", "--badname", "-m", "-d", home, "-s", "/bin/bash", "-G", SHARED_GROUP]
    subprocess.run([*useradd, NAME], check=True)
    try:
        subprocess.run(["/usr/sbin/chpasswd"], input=f"{NAME}:{PASSWORD}\n", text=True, check=True)
        account = PEOPLE[0].account
        added = cluster.run("gateway", ["sacctmgr", "--immediate", "add", "user", NAME, f"Account={account}"])
        assert added.returncode == 0, added
        yield NAME
    finally:
        subprocess.run(["/usr/sbin/userdel", "--remove", "--force", NAME], capture_output=True, check=False)


async def test_somebody_with_an_odd_name_logs_in_starts_uses_the_session_and_stops(
    hub: LiveHub, odd_person: str
) -> None:
    """With a token instead of cookies: the jar of aiohttp matches no path with a %2B in it, browsers do."""
    async with Walk.begin(hub.url, odd_person) as walk:
        await walk.log_in(PASSWORD)
        await walk.start({"profile": "debug"})
        (job,) = hub.jobs(odd_person)
        assert hub.comment(job).endswith(f":{odd_person}:")
        (server,) = (await walk.model())["servers"].values()
        assert server["ready"]
        token = await own_token(walk)
        who = URL(f"{hub.url}{server['url']}api/me", encoded=True)
        async with walk.http.get(who, headers={"Authorization": f"token {token}"}) as answer:
            assert (await answer.json())["identity"]["username"] == odd_person
        await hub.stop_session(walk)
    assert hub.wait_for_no_job(odd_person)
