"""A session in a packed version, from the click to a kill: kernels see what the server sees, nothing stays.

It fails where the job script does not choose a way, and where squashfuse outlives the server.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.environments.versions_to_pack import finish
from tests.hub_fixture import LiveHub
from tests.hub_site import ENVIRONMENT, VERSIONS
from tests.real_cluster import processes

from clusterhub.environments import packing
from clusterhub.environments.versions import Environments
from clusterhub.hub.walkthrough import Walk

SEEN = """\
import json, os, subprocess, sys
print(json.dumps([
    sys.prefix,
    os.environ["CLUSTERHUB_ENVIRONMENT_WAY"],
    os.path.exists(sys.prefix + "/only-in-the-directory"),
    os.getcwd(),
    subprocess.run(["squeue", "--me", "--noheader", "--format=%T"], stdout=-1, text=True).stdout.strip(),
]))
"""


@pytest.fixture(scope="module")
def version(live_hub: LiveHub) -> Iterator[Path]:
    """A whole version with Jupyter in it, packed; its directory has a file more."""
    assert live_hub.cluster.is_up()
    version = VERSIONS / "packed"
    VERSIONS.mkdir()
    subprocess.run(["/bin/cp", "-a", f"{ENVIRONMENT.resolve()}/.", str(version)], check=True)
    finish(version)
    environments = Environments.of_link(VERSIONS / "current")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(packing, "COMPRESSION", 1)  # in a few seconds instead of half a minute
        packing.pack(environments, "packed", lambda _doing: None)
    version.chmod(0o755)
    (version / "only-in-the-directory").touch()
    environments.link.symlink_to("packed")
    yield version
    shutil.rmtree(VERSIONS)


def serving(hub: LiveHub) -> str:
    """What serves images on the nodes, and who sees them."""
    look = "pgrep -l squashfuse; grep -l squashfuse /proc/[0-9]*/mountinfo 2>/dev/null; true"
    return "".join(hub.cluster.run(node, ["/bin/sh", "-c", look]).stdout for node in ("n1", "n2"))


async def test_a_session_runs_in_the_image_and_leaves_nothing(hub: LiveHub, version: Path) -> None:
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        await walk.start({"profile": "versions"})
        printed, _ = await walk.run_cell(SEEN)
        assert json.loads(printed) == [str(version), "squashfuse", False, "/home/bob", "RUNNING"]
        async with walk.http.get(f"{hub.url}/user/bob/clusterhub/session") as answer:
            assert (await answer.json())["environment"] == "squashfuse"
        assert "squashfuse" in serving(hub)
        (job,) = hub.jobs("bob")
        hub.wanted_cancels.add(job)
        hub.cluster.run("gateway", ["scancel", "--signal=KILL", "--full", job])
        assert hub.wait_for_no_job("bob")
    assert processes.wait_until(lambda: serving(hub) == "", 10)
