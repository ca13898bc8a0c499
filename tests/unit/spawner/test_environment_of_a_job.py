"""A session stays in the version of the environment in which it began, whatever becomes of the link.

Without the line of the job script that looks through the link, the first test finds sessions that have
modules of both versions.
"""

from __future__ import annotations

import itertools
import subprocess
import threading
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.site.small_sites import site_with

from clusterhub.privileged.broker import Account
from clusterhub.spawner.job_request import ENVIRONMENT_LINE, job_request
from clusterhub.spawner.options import parse_choice
from clusterhub.spawner.tags import Tag

PROFILE = """
[[profile]]
name = "only"
"""
STARTS = 100
AT_ONCE = 4
MODULES = 40
PROGRAM = (
    "import importlib, sys, time; "
    f"found = [importlib.import_module(f'part{{number}}').VERSION for number in range({MODULES})]; "
    "print(sys.prefix, *sorted(set(found)))"
)


def turn(link: Path, version: str) -> None:
    """Turn the link to another version, as `clusterhub environment activate` does."""
    new = link.with_name(".new")
    new.symlink_to(version)
    new.replace(link)


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    """Two versions, each with many modules that know of which version they are."""
    for version in ("one", "two"):
        venv.create(tmp_path / version, symlinks=True)
        packages = next((tmp_path / version).glob("lib/python3*/site-packages"))
        for number in range(MODULES):
            (packages / f"part{number}.py").write_text(f'VERSION = "{version}"\n')
    turn(tmp_path / "current", "one")
    return tmp_path


@pytest.fixture
def body(environments: Path, alice: Account) -> str:
    """The job script's body, with a program in place of the launcher."""
    site = site_with(PROFILE, environments / "current")
    request = job_request(
        site,
        profile=site.profiles[0],
        choice=parse_choice({}, site, "alice", ()),
        account=alice,
        tag=Tag("hub", "alice", ""),
        ticket={"kind": "munge", "uid": 1},
    )
    return request.body.replace('"$python" -I /dev/fd/3', f'"$python" -I -c "{PROGRAM}"')


@contextmanager
def turning(link: Path) -> Iterator[None]:
    """Meanwhile the link goes to and fro as fast as it can."""
    done = threading.Event()

    def turn_on() -> None:
        for version in itertools.cycle(("two", "one")):
            if done.is_set():
                return
            turn(link, version)

    thread = threading.Thread(target=turn_on)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_of_a_hundred_starts_during_activations_none_fails_and_none_mixes_versions(
    environments: Path, body: str
) -> None:
    script = environments / "script"
    script.write_text(body)
    seen = set()
    with turning(environments / "current"):
        for _ in range(STARTS // AT_ONCE):
            started = [
                subprocess.Popen(
                    ["/bin/bash", str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
                for _ in range(AT_ONCE)
            ]
            for process in started:
                printed, said = process.communicate(timeout=60)
                assert process.returncode == 0, said
                prefix, *versions = printed.split()
                assert [Path(prefix).name] == versions
                assert f"{ENVIRONMENT_LINE}{prefix}\n" in said
                seen.add(prefix)
    assert len(seen) == 2


def test_a_job_holds_the_version_that_was_chosen_and_not_the_link(environments: Path, alice: Account) -> None:
    site = site_with(PROFILE, environments / "current")
    request = job_request(
        site,
        profile=site.profiles[0],
        choice=parse_choice({"environment": "previous"}, site, "alice", ()),
        account=alice,
        tag=Tag("hub", "alice", ""),
        ticket={"kind": "munge", "uid": 1},
        environment=environments / "one",
    )
    assert f"python={environments}/one/bin/python3\n" in request.body
    assert "previous" not in request.body


def test_the_log_names_the_version_and_not_the_link(environments: Path, body: str) -> None:
    done = subprocess.run(["/bin/bash"], input=body, capture_output=True, text=True, check=True, timeout=30)
    assert f"{ENVIRONMENT_LINE}{environments}/one\n" in done.stderr
