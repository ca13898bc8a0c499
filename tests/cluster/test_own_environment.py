"""A session in an environment that its person brings along, without JupyterHub in it, on a real cluster.

The site's Python boards, with munge and TLS, and hands over. Fails where the person's Python does not get the
socket, or does not find what it needs to know the hub; and where what is no environment is submitted.
"""

from __future__ import annotations

import venv
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest
from tests.hub_fixture import LiveHub
from tests.hub_site import DIRECTORY, ENVIRONMENT

from clusterhub.hub.walkthrough import Walk, WalkFailed

OWN = DIRECTORY / "bobs-own"


@pytest.fixture(scope="module")
def own(live_hub: LiveHub) -> Iterator[Path]:
    """As the cluster's environment, but without JupyterHub, and what only that needs."""
    assert live_hub
    venv.create(OWN, symlinks=True)
    (packages,) = OWN.glob("lib/python3*/site-packages")
    left_out = ("jupyterhub", "sqlalchemy", "alembic", "mako", "aiohttp", "yarl")
    for each in ENVIRONMENT.resolve().glob("lib/python3*/site-packages/*"):
        if not each.name.lower().startswith(left_out):
            (packages / each.name).symlink_to(each)
    (OWN / "share").mkdir()
    (OWN / "share" / "jupyter").symlink_to(ENVIRONMENT.resolve() / "share" / "jupyter")
    (OWN / "etc").symlink_to(ENVIRONMENT.resolve() / "etc")
    yield OWN
    rmtree(OWN)


async def test_a_session_runs_in_what_its_person_brings_along(hub: LiveHub, own: Path) -> None:
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        for path, said in (
            (f"{own}/bin", "has no program bin/python3"),
            ("/nowhere", "There is no /nowhere"),
        ):
            with pytest.raises(WalkFailed, match=said):
                await walk.start({"profile": "own", "own_path": path})
        assert hub.jobs("bob") == []
        await walk.start({"profile": "own", "own_path": str(own)})
        printed, _ = await walk.run_cell(
            "import os, sys; print(sys.prefix, 'JUPYTERHUB_API_TOKEN' in os.environ)"
        )
        assert printed.split() == [str(own), "False"]
        await hub.stop_session(walk)
    assert hub.wait_for_no_job("bob")
