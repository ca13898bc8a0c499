"""What was active before, what differs, what is in use: the pure parts.

Fails where a rollback only goes to and fro between two versions, where a session of which nobody knows its
environment counts as none, where the link to the previous version is not turned with each change, or where
names of packages are compared letter by letter.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterhub.environments import manifest as manifests
from clusterhub.environments.activation import activate, previous, rollback
from clusterhub.environments.comparison import changes
from clusterhub.environments.manifest import Manifest, Package
from clusterhub.environments.records import CheckRecord, note_check
from clusterhub.environments.removal import Use, remove
from clusterhub.environments.versions import OWN, Environments
from clusterhub.errors import ClusterhubError
from clusterhub.site.versions import PREVIOUS


def a_manifest(name: str, *packages: Package, python: str = "3.12.1", made_at: float = 0.0) -> Manifest:
    return Manifest(
        name, made_at, "root", "gateway", "0", python, "/usr/bin/python3", "", "", 1, 1, packages, {}
    )


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    """Three versions that are complete, without anything in them."""
    for age, name in enumerate(("a", "b", "c")):
        (tmp_path / name / OWN).mkdir(parents=True)
        manifests.write(a_manifest(name, made_at=age), tmp_path / name / OWN / "manifest.json")
    return Environments.of_link(tmp_path / "current")


@pytest.mark.parametrize(
    ("history", "active", "there", "expected"),
    [
        ([], "", "ab", ""),
        (["+a"], "a", "a", ""),
        (["+a", "+b"], "b", "ab", "a"),
        (["+a", "+b", "+c"], "c", "abc", "b"),
        (["+a", "+b", "+c"], "c", "ac", "a"),
        (["+a", "+b", "+c", "-b"], "b", "abc", "a"),
        (["+a", "+b", "+a"], "a", "ab", "b"),
        (["+a", "+b"], "a", "ab", ""),  # the second was written, and the link never turned
        (["+a", "+b", "-a", "+c"], "c", "abc", "a"),
    ],
)
def test_a_rollback_goes_to_the_version_before_that_is_still_there(
    history: list[str], active: str, there: str, expected: str
) -> None:
    entries = [{"activated" if each[0] == "+" else "rolled back to": each[1]} for each in history]
    assert previous(entries, active, there) == expected


def test_activate_and_roll_back_turn_the_link(environments: Environments) -> None:
    for name in "abc":
        activate(environments, name, unchecked=True)
        assert environments.link.readlink() == Path(name)
    assert rollback(environments) == ("c", "b")
    assert rollback(environments) == ("b", "a")
    assert environments.active() == "a"
    with pytest.raises(ClusterhubError, match="no version to go back to"):
        rollback(environments)


def leads_to(environments: Environments) -> str:
    """The version that people are offered as the previous one; empty where there is none."""
    link = environments.directory / PREVIOUS
    return str(link.readlink()) if link.is_symlink() else ""


def test_the_previous_version_is_the_one_that_a_rollback_goes_to_and_is_no_version_itself(
    environments: Environments,
) -> None:
    seen = []
    for name in "abc":
        activate(environments, name, unchecked=True)
        seen.append(leads_to(environments))
    remove(environments, "b", [], force=False)
    seen.append(leads_to(environments))
    rollback(environments)
    assert [*seen, leads_to(environments)] == ["", "a", "b", "a", ""]
    assert {each.name for each in environments.versions()} == {"a", "c"}


def test_a_directory_that_has_the_name_of_the_link_is_left_alone(environments: Environments) -> None:
    kept = environments.directory / PREVIOUS / "kept"
    kept.parent.mkdir()
    kept.touch()
    for name in "ab":
        activate(environments, name, unchecked=True)
    assert environments.active() == "b"
    assert kept.exists()


def test_only_what_passed_its_check_is_activated_unless_somebody_insists(environments: Environments) -> None:
    with pytest.raises(ClusterhubError, match="has not been checked"):
        activate(environments, "a", unchecked=False)
    note_check(environments, "a", CheckRecord(False, 0.0, "alice", "n1"))
    with pytest.raises(ClusterhubError, match="did not pass its check"):
        activate(environments, "a", unchecked=False)
    assert environments.active() == ""
    note_check(environments, "a", CheckRecord(True, 0.0, "alice", "n1"))
    activate(environments, "a", unchecked=False)
    assert environments.active() == "a"


def test_the_active_version_is_never_removed_not_even_by_force(environments: Environments) -> None:
    activate(environments, "a", unchecked=True)
    with pytest.raises(ClusterhubError, match="is the active one"):
        remove(environments, "a", [], force=True)


def test_a_version_in_use_is_not_removed_and_its_users_are_named(environments: Environments) -> None:
    use = Use("session of alice, job 17 on main", environments.directory / "a")
    with pytest.raises(ClusterhubError, match="is in use") as caught:
        remove(environments, "a", [use], force=False)
    assert "alice, job 17" in str(caught.value)
    remove(environments, "b", [use], force=False)
    assert [each.name for each in environments.versions()] == ["c", "a"]
    remove(environments, "a", [use], force=True)
    assert [each.name for each in environments.versions()] == ["c"]


def test_where_a_session_does_not_tell_nothing_is_removed_without_force(environments: Environments) -> None:
    with pytest.raises(ClusterhubError, match="may be in use"):
        remove(environments, "a", [Use("session of alice, job 17 on main", None)], force=False)
    assert len(environments.versions()) == 3


def test_what_a_killed_removal_left_is_no_version_and_goes_with_the_next(environments: Environments) -> None:
    left = environments.directory / ".removing-a"
    (environments.directory / "a").rename(left)
    assert [each.name for each in environments.versions()] == ["c", "b"]
    remove(environments, "b", [], force=False)
    assert not left.exists()


def test_a_version_that_nobody_has_and_an_unfinished_one_are_said_so(environments: Environments) -> None:
    (environments.building / "d").mkdir(parents=True)
    with pytest.raises(ClusterhubError, match="is unfinished"):
        activate(environments, "d", unchecked=True)
    with pytest.raises(ClusterhubError, match="There are: ") as caught:
        activate(environments, "e", unchecked=True)
    assert "There is no version 'e'" in str(caught.value)


def test_a_site_that_names_an_environment_itself_is_told_to_name_a_link(environments: Environments) -> None:
    with pytest.raises(ClusterhubError, match="names an environment itself"):
        Environments.of_link(environments.directory / "a")


def test_what_differs_is_listed_by_what_registries_call_it() -> None:
    before = a_manifest(
        "a", Package("Jinja2", "3.1", 1), Package("ruamel.yaml", "1", 1), Package("x", "1", 1)
    )
    after = a_manifest(
        "b",
        Package("jinja2", "3.2", 1),
        Package("ruamel-yaml", "1", 1),
        Package("y", "2", 1),
        python="3.13.0",
    )
    assert [each.as_text() for each in changes(before, after)] == [
        "~ Python 3.12.1 -> 3.13.0",
        "~ jinja2 3.1 -> 3.2",
        "- x 1",
        "+ y 2",
    ]
