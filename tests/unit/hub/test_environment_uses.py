"""Who uses which environment: what runs, what waits, and what site.toml names.

Fails where a job that waits counts for nothing, where one of which the database does not know counts as
nobody's, and where the links that change by themselves hold what they lead to.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterhub.hub import environment_uses
from clusterhub.hub.orphans import Orphan, Server
from clusterhub.schedulers.model import Job, JobState
from clusterhub.site.loading import parse
from clusterhub.site.schema import Site
from clusterhub.spawner.tags import Tag

SITE = """\
[hub]
url = "https://jupyter.example.org"
[cluster.main]
scheduler = "slurm"
[environment]
path = "{versions}/current"
offer = ["current", "previous", "offered"]
[[profile]]
name = "pinned"
environment = "pinned"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    for name in ("active", "before", "pinned", "offered", "chosen"):
        (tmp_path / name).mkdir()
    (tmp_path / "current").symlink_to("active")
    (tmp_path / "previous").symlink_to("before")
    return parse(SITE.format(versions=tmp_path), tmp_path / "site.toml")


def uses(
    site: Site, monkeypatch: pytest.MonkeyPatch, *live: Orphan, servers: dict[tuple[str, str], Server]
) -> list[tuple[str, str]]:
    """Who or what, and the version's name, "?" where it is not known."""

    async def look(*_: object) -> list[Orphan]:
        return list(live)

    monkeypatch.setattr(environment_uses, "look", look)
    monkeypatch.setattr(environment_uses, "servers_of", lambda _: servers)
    return [
        (use.who, use.directory.name if use.directory is not None else "?")
        for use in environment_uses.uses(site)
    ]


def waiting(job: str, person: str) -> Orphan:
    return Orphan("main", Tag("hub", person, ""), Job(job, JobState.QUEUED, person=person))


def test_a_job_that_waits_uses_what_was_chosen_for_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = site.environment.path.parent
    servers = {
        ("alice", ""): Server("main", "1", starts=True, environment=f"{directory}/chosen"),
        ("bob", ""): Server("main", "2", starts=True, environment=f"{directory}/current"),
        ("carol", ""): Server("main", "9", starts=True, environment=f"{directory}/chosen"),
        ("dave", ""): Server("main", "4", starts=True),
    }
    people = ("alice", "bob", "carol", "dave", "erin")
    jobs = [waiting(str(number), person) for number, person in enumerate(people, 1)]
    found = uses(site, monkeypatch, *jobs, servers=servers)
    told = [(who.split()[2], version) for who, version in found if who.endswith(", which waits")]
    assert told == [
        ("alice,", "chosen"),
        ("bob,", "active"),
        ("carol,", "?"),  # the database speaks of another job of hers
        ("dave,", "?"),
        ("erin,", "?"),
    ]


def test_site_toml_holds_what_it_names_but_not_what_is_merely_the_previous_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert uses(site, monkeypatch, servers={}) == [
        (f"[environment] in {site.path}", "active"),
        (f"[environment] in {site.path}", "offered"),
        (f"profile pinned in {site.path}", "pinned"),
    ]
