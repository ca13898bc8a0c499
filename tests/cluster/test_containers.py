"""A session whose server runs in a container's image that its person brings, by what really runs containers.

Where a command of `own_environment._CONTAINERS` hands no socket on, or does not show the session's directory
or the home, no session comes up.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import container_images, hub_site
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster

from clusterhub.hub.walkthrough import Walk

SEEN = f"""\
import os, pathlib
pathlib.Path("written-in-an-image").write_text("here")
print(os.path.exists("/{container_images.MARK}"), os.getuid(), os.getcwd())
print("JUPYTERHUB_API_TOKEN" in os.environ)
"""


@pytest.fixture(scope="module", params=["charliecloud", "podman"])
def containers(request: pytest.FixtureRequest) -> str:
    """What runs containers at the site."""
    return str(request.param)


@pytest.fixture(scope="module")
def site_text(cluster: RealCluster, containers: str) -> str:
    """The site of such a hub."""
    text = hub_site.text(cluster.footprint().port)
    return text.replace("[environment]\n", f'[environment]\ncontainers = "{containers}"\n')


@pytest.fixture(scope="module")
def image(live_hub: LiveHub, containers: str) -> Iterator[Path]:
    """An image as that reads it."""
    assert live_hub
    directory = hub_site.DIRECTORY / "images"
    image = directory / "lab"
    container_images.make_directory(image)
    if containers == "podman":
        image = directory / "lab.tar"
        container_images.make_archive(directory / "lab", image)
    yield image
    shutil.rmtree(directory)


async def test_a_session_runs_in_the_image_that_its_person_brings(hub: LiveHub, image: Path) -> None:
    bob = hub.cluster.people["bob"]
    uid = bob.home.stat().st_uid
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(bob.password)
        await walk.start({"profile": "own", "own_image": str(image)})
        printed, _ = await walk.run_cell(SEEN)
        assert printed.split() == ["True", str(uid), str(bob.home), "False"]
        written = bob.home / "written-in-an-image"
        assert (written.read_text(), written.stat().st_uid) == ("here", uid)
        written.unlink()
        await hub.stop_session(walk)
    assert hub.wait_for_no_job("bob")
