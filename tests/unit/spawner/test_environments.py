"""What people can pick among the environments of a site, and which directory a job of that choice runs in.

Fails where what is not there is offered, where a chosen version is looked up only when the job starts (then
an activation meanwhile changes it), and where a file system that hangs holds up a page or takes more threads
than one.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from clusterhub.site.loading import parse
from clusterhub.site.schema import Profile, Site
from clusterhub.spawner import environments as environments_module
from clusterhub.spawner.environments import Environments, Offer
from clusterhub.spawner.options import ChoiceRefused, parse_choice

SITE = """\
[hub]
url = "https://jupyter.example.org"
[cluster.main]
scheduler = "slurm"
[environment]
path = "{versions}/current"
[[profile]]
name = "usual"
[[profile]]
name = "course"
environment = ["old", "{versions}/new", "{elsewhere}/far", "gone"]
[[profile]]
name = "pinned"
environment = "old"
"""


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "current").symlink_to("new")
    return tmp_path


@pytest.fixture
def site(versions: Path) -> Site:
    """One whose `elsewhere` is on a file system that this machine does not have."""
    return parse(SITE.format(versions=versions, elsewhere="/nowhere/at/all"), Path("site.toml"))


def named(site: Site, name: str) -> Profile:
    return site.profile_named(name)


async def test_what_is_there_is_offered_by_its_own_name(site: Site, versions: Path) -> None:
    offered = await Environments(site).offers(site.profiles)
    assert offered["usual"] == (Offer("current", "new (current)"),)
    assert [each.title for each in offered["course"]] == ["old", "new", "far"]
    (versions / "previous").symlink_to("old")
    offered = await Environments(site).offers(site.profiles)
    assert offered["usual"][1:] == (Offer("previous", "old (previous)"),)
    (versions / "previous").unlink()
    (versions / "previous").symlink_to("new")
    assert len((await Environments(site).offers(site.profiles))["usual"]) == 1, "the same twice is no choice"


async def test_a_chosen_version_is_that_version_and_a_preset_one_what_it_is_when_the_job_starts(
    site: Site, versions: Path
) -> None:
    (versions / "previous").symlink_to("old")
    found = Environments(site)
    chosen = {
        version: await found.directory_of(
            named(site, "usual"), parse_choice({"environment": version}, site, "alice", ())
        )
        for version in ("current", "previous", "")
    }
    assert chosen == {
        "current": versions / "current",
        "previous": versions / "old",
        "": versions / "current",
    }
    pinned = parse_choice({"profile": "pinned"}, site, "alice", ())
    assert await found.directory_of(named(site, "pinned"), pinned) == versions / "old"


async def test_a_version_that_is_not_there_is_refused_with_what_is(site: Site) -> None:
    for profile, version in (("usual", "previous"), ("course", "gone")):
        choice = parse_choice({"profile": profile, "environment": version}, site, "alice", ())
        with pytest.raises(ChoiceRefused, match=f"no environment {version} at the moment") as refused:
            await Environments(site).directory_of(named(site, profile), choice)
        assert refused.value.field == "environment"
    far = {"profile": "course", "environment": "/nowhere/at/all/far"}
    found = await Environments(site).directory_of(named(site, "course"), parse_choice(far, site, "alice", ()))
    assert found == Path("/nowhere/at/all/far"), "nodes may have what this machine has not"


async def test_a_file_system_that_hangs_holds_up_no_page_and_one_thread_only(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, looks = threading.Event(), []

    def hang(paths: frozenset[Path]) -> dict[Path, Path | None]:
        looks.append(paths)
        go_on.wait()
        return {}

    monkeypatch.setattr(environments_module, "PATIENCE", 0.01)
    monkeypatch.setattr(environments_module, "AGE", 0.0)
    monkeypatch.setattr(environments_module, "_directories", hang)
    found = Environments(site)
    try:
        for _ in range(3):
            offered = await found.offers(site.profiles)
        assert [each.version for each in offered["usual"]] == ["current", "previous"]
        assert len(looks) == 1
    finally:
        go_on.set()
