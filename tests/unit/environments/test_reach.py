"""Every directory and link on the way to a file counts.

Fails where links are not followed, where only the last directory is looked at, or where group rights suffice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterhub.environments import reach
from clusterhub.environments.reach import obstacles


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home directory with a Python in it. What lies above, which pytest keeps to itself, counts as open."""
    closed = reach._closed

    def inside(path: Path, *, is_end: bool) -> reach.Obstacle | None:
        return closed(path, is_end=is_end) if path.is_relative_to(tmp_path / "home") else None

    monkeypatch.setattr(reach, "_closed", inside)
    python = tmp_path / "home" / "python" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.touch()
    for each in (*python.parents[:3], python):
        each.chmod(0o755)
    return tmp_path / "home"


def test_what_everybody_may_enter_is_no_obstacle(home: Path) -> None:
    assert obstacles(home / "python" / "bin" / "python3") == []


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o754])
def test_a_private_directory_on_the_way_is_one_and_its_remedy_is_said(home: Path, mode: int) -> None:
    home.chmod(mode)
    (found,) = obstacles(home / "python" / "bin" / "python3")
    assert (found.path, found.remedy) == (home, f"chmod o+x {home}")


def test_a_directory_behind_a_link_counts(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "shared" / "python3"
    link.parent.mkdir()
    (tmp_path / "middle").symlink_to("home/../home/python")
    link.symlink_to("../middle/bin/python3")
    assert obstacles(link) == []
    (home / "python").chmod(0o700)
    assert [each.path for each in obstacles(link)] == [home / "python"]


def test_a_program_that_others_may_not_run_is_an_obstacle(home: Path) -> None:
    python = home / "python" / "bin" / "python3"
    python.chmod(0o744)
    (found,) = obstacles(python)
    assert "cannot run" in found.what


def test_a_link_that_leads_nowhere_or_in_a_circle_is_said_so(home: Path) -> None:
    (home / "nowhere").symlink_to("missing")
    (home / "round").symlink_to("round")
    assert "cannot be looked at" in obstacles(home / "nowhere")[0].what
    assert "circle" in obstacles(home / "round")[0].what
