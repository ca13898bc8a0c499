"""An environment on a real cluster: opened on a node before people are let in, and not removed under them.

The check fails to find what is broken where its parts are taken out of the probe, one by one; the removal
goes through where the logs of sessions are not asked, or the database about what waits.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hub_fixture import LiveHub
from tests.hub_site import DIRECTORY, ENVIRONMENT, VERSIONS
from tests.real_cluster import hub as hub_module
from tests.real_cluster.processes import wait_until

from clusterhub.hub.walkthrough import Walk

COPY = DIRECTORY / "prefixes" / "first"
"""A whole environment with Jupyter in it, which tests may break."""


def environment(hub: LiveHub, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`clusterhub environment VERB`, as root on the gateway."""
    program = str(hub_module.virtual_environment() / "bin" / "clusterhub")
    done = hub.cluster.run(
        "gateway",
        [program, "environment", verb, "--directory", str(VERSIONS), *words],
        env={"CLUSTERHUB_SITE": str(hub_module.SITE)},
        timeout=180,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def checked(hub: LiveHub, name: str) -> dict[str, Any]:
    """What the check says, done as alice on a node."""
    done = environment(hub, "check", name, "--as-user", "alice", "--profile", "debug", "--json")
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if report["passed"] else 1)
    return report


def found(report: dict[str, Any]) -> set[tuple[str, str]]:
    """Which check found what: the first word of each error."""
    errors = [each for each in report["findings"] if each["severity"] == "error"]
    assert all(each["next"] for each in errors), errors
    return {(each["check"], each["what"].partition(" ")[0]) for each in errors}


@pytest.fixture(scope="module")
def prefix(live_hub: LiveHub) -> Iterator[Path]:
    """A copy of the cluster's environment. It cannot be used as it is by its scripts, but by its Python."""
    COPY.parent.mkdir()
    subprocess.run(["/bin/cp", "-a", f"{ENVIRONMENT}/.", str(COPY)], check=True)
    VERSIONS.mkdir()
    assert environment(live_hub, "adopt", str(COPY)).returncode == 0
    assert environment(live_hub, "adopt", str(ENVIRONMENT.resolve()), "--name", "second").returncode == 0
    yield COPY
    shutil.rmtree(VERSIONS)
    shutil.rmtree(COPY.parent)


@pytest.fixture
def broken(prefix: Path) -> Iterator[None]:
    """Two extensions of JupyterLab, one of its server, and a kernel, each broken in its own way."""
    lab = {"name": "old", "version": "1.0.0", "jupyterlab": {"_build": {"load": "static/there.js"}}}
    added = {
        "share/jupyter/labextensions/old/package.json": json.dumps(
            {**lab, "dependencies": {"@jupyterlab/application": "^3.0.0"}}
        ),
        "share/jupyter/labextensions/old/static/there.js": "",
        "share/jupyter/labextensions/hollow/package.json": json.dumps({**lab, "name": "hollow"}),
        "share/jupyter/kernels/gone/kernel.json": json.dumps(
            {"argv": ["/nowhere/R", "{connection_file}"], "display_name": "R", "language": "R"}
        ),
        "etc/jupyter/jupyter_server_config.d/bad.json": json.dumps(
            {"ServerApp": {"jpserver_extensions": {"bad_extension": True}}}
        ),
    }
    (packages,) = prefix.glob("lib/python3*/site-packages")
    module = packages / "bad_extension.py"
    module.write_text(
        "def _jupyter_server_extension_points():\n    return [{'module': 'bad_extension'}]\n\n\n"
        "def _load_jupyter_server_extension(app):\n    raise RuntimeError('made for another server')\n"
    )
    for name, text in added.items():
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_text(text)
    yield
    module.unlink()
    (prefix / "etc/jupyter/jupyter_server_config.d/bad.json").unlink()
    for name in ("labextensions/old", "labextensions/hollow", "kernels/gone"):
        shutil.rmtree(prefix / "share" / "jupyter" / name)


@pytest.mark.usefixtures("broken")
def test_what_is_broken_is_found_on_a_node_as_an_ordinary_person(hub: LiveHub) -> None:
    report = checked(hub, "first")
    assert found(report) == {
        ("labextension", "old"),
        ("labextension", "hollow"),
        ("server extension", "bad_extension"),
        ("kernel", "gone:"),
    }
    assert (report["person"], report["facts"]["account"]) == ("alice", "alice")
    assert report["node"] in ("n1", "n2")
    refused = environment(hub, "activate", "first")
    assert "did not pass its check" in refused.stderr
    assert hub.wait_for_no_job("alice", 10)


@pytest.mark.usefixtures("prefix")
def test_what_is_whole_passes_and_may_then_be_activated(hub: LiveHub) -> None:
    report = checked(hub, "first")
    assert found(report) == set()
    assert report["facts"]["kernels"].keys() == {"python3"}
    assert "jupyterlab_pygments" in report["facts"]["labextensions"]
    assert environment(hub, "activate", "first").returncode == 0


def test_an_interpreter_under_a_private_home_is_found(hub: LiveHub, prefix: Path) -> None:
    home = DIRECTORY / "prefixes" / "home"
    home.mkdir()
    shutil.copy(Path("/usr/bin/python3").resolve(), home / "python3")
    python = prefix / "bin" / "python3"
    kept = python.readlink()
    python.unlink()
    python.symlink_to(home / "python3")
    home.chmod(0o700)
    try:
        report = checked(hub, "first")
    finally:
        python.unlink()
        python.symlink_to(kept)
    assert found(report) >= {("reach", "other"), ("opening", "it")}
    (reach,) = [each for each in report["findings"] if each["check"] == "reach"]
    assert (reach["where"], reach["next"]) == (str(home), f"chmod o+x {home}")
    assert "does not run on node" in str(report)


@pytest.mark.usefixtures("prefix")
async def test_a_version_that_a_session_runs_in_is_not_removed(hub: LiveHub) -> None:
    assert environment(hub, "activate", "--unchecked", "first").returncode == 0
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        await walk.start({"profile": "versions"})
        (job,) = hub.jobs("bob")
        assert environment(hub, "activate", "--unchecked", "second").returncode == 0
        printed, _ = await walk.run_cell("import sys; print(sys.prefix)")
        assert printed.strip() == str(COPY), "it stays where it began"
        refused = environment(hub, "remove", "first")
        assert refused.returncode == 1
        assert f"session of bob, job {job} on main" in refused.stderr
        listed = json.loads(environment(hub, "list", "--json").stdout)
        assert {each["name"]: len(each["in_use"]) > 0 for each in listed} == {"first": True, "second": True}
        await hub.stop_session(walk)
    assert hub.wait_for_no_job("bob")


@pytest.mark.usefixtures("prefix")
async def test_nor_is_one_that_a_job_waits_for_and_what_was_picked_outlasts_an_activation(
    hub: LiveHub,
) -> None:
    assert environment(hub, "activate", "--unchecked", "second").returncode == 0
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        await walk.press_start({"profile": "held-version", "environment": f"{VERSIONS}/first"})
        assert wait_until(lambda: bool(hub.jobs("bob")), 30)
        (job,) = hub.jobs("bob")
        refused = environment(hub, "remove", "first")
        assert refused.returncode == 1
        assert f"session of bob, job {job} on main, which waits" in refused.stderr
        assert f"first: session of bob, job {job}" in environment(hub, "list", "--who").stdout
        script = hub.cluster.run("gateway", ["scontrol", "write", "batch_script", job, "-"]).stdout
        assert f"python={COPY}/bin/python3" in script
        await hub.stop_session(walk)
    assert hub.wait_for_no_job("bob")
    refused = environment(hub, "remove", "first")
    assert "where: profile held-version in" in refused.stderr, "the sessions are gone, site.toml names it"
    assert environment(hub, "remove", "first", "--force").returncode == 0
    assert COPY.is_dir(), "what was adopted is only forgotten"
