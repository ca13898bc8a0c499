"""A session whose server runs in a container's image that its person brings, by what really runs containers.

Where a command of `own_environment._CONTAINERS` hands no socket on, or does not show the session's directory
or the home, no session comes up.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import container_images, hub_site
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster
from tests.real_cluster.layout import NODES
from tests.tokens import own_token
from yarl import URL

from clusterhub.hub.walkthrough import Walk, execute

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


@pytest.fixture
def one_version_of_control_groups(cluster: RealCluster) -> Iterator[None]:
    """On the nodes. Some machines have both versions at once, in a way in which crun runs nothing."""
    second = Path("/sys/fs/cgroup/unified")
    nodes = [node.name for node in NODES] if second.is_dir() and second.is_mount() else []
    for node in nodes:
        assert cluster.run(node, ["umount", str(second)]).returncode == 0
    yield
    for node in nodes:
        assert cluster.run(node, ["mount", "-t", "cgroup2", "cgroup2", str(second)]).returncode == 0


async def run(walk: Walk, code: str) -> str:
    """What code prints in a new kernel, by way of the API alone: the image is without JupyterLab."""
    token = await own_token(walk)
    kernels = URL(f"{walk.url}/user/{walk.person}/api/kernels")
    started = await walk.http.post(kernels, json={}, headers={"Authorization": f"token {token}"})
    kernel = (await started.json())["id"]
    async with walk.http.ws_connect((kernels / kernel / "channels").with_query(token=token)) as channel:
        return await asyncio.wait_for(execute(channel, code), 60)


@pytest.mark.usefixtures("one_version_of_control_groups")
async def test_a_session_runs_in_the_image_that_its_person_brings(hub: LiveHub, image: Path) -> None:
    bob = hub.cluster.people["bob"]
    uid = bob.home.stat().st_uid
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(bob.password)
        await walk.start({"profile": "own", "own_image": str(image)})
        printed = await run(walk, SEEN)
        assert printed.split() == ["True", str(uid), str(bob.home), "False"]
        written = bob.home / "written-in-an-image"
        assert (written.read_text(), written.stat().st_uid) == ("here", uid)
        written.unlink()
        await hub.stop_session(walk)
    assert hub.wait_for_no_job("bob")
