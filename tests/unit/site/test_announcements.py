"""What operators tell everybody is read from a file, named by its line where it is wrong, and ends in time.

Without `holds` an announcement would stay for ever; without the look at the file's times it would take a
restart of the hub, or a read of the file for each page.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from clusterhub.hub.announcing import LOOK, Announcing
from clusterhub.site.announcements import AnnouncementsError, load

NOW = datetime.now(timezone.utc)


def texts(announcing: Announcing) -> list[str]:
    return [each.text for each in announcing.now()]


def test_each_table_is_one_announcement(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        '[[announcement]]\ntext = "Welcome."\n'
        '[[announcement]]\ntext = "Down."\nlevel = "danger"\nlink = "https://status.example.org/x"\n'
        "begins = 2026-12-01T08:00:00+01:00\nends = 2026-12-02\n"
    )
    first, second = load(path)
    assert (first.text, first.level, first.link, first.ends) == ("Welcome.", "info", None, None)
    assert second.begins == datetime(2026, 12, 1, 7, tzinfo=timezone.utc)
    assert second.ends is not None
    assert second.ends.tzinfo is not None
    path.write_text("")
    assert load(path) == ()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('level = "purple"', "purple"),
        ('text = "two\\nlines"', "line break"),
        ('ends = "2026-12-01T08:00:00Z"', "without the quotes"),
        ('link = "javascript:alert(1)"', "not the address of a page"),
        ('link = "https://["', "not the address of a page"),
        ('until = "x"', "until"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, line: str, word: str) -> None:
    path = tmp_path / "a.toml"
    text = "" if line.startswith("text") else 'text = "x"\n'
    path.write_text(f"[[announcement]]\n{text}{line}\n")
    with pytest.raises(AnnouncementsError, match=f"a.toml:{2 if not text else 3}:") as refusal:
        load(path)
    assert word in " ".join(str(refusal.value).split())


def test_it_is_told_from_its_begin_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    moments = {"past": NOW - timedelta(hours=1), "future": NOW + timedelta(hours=1)}
    lines = [
        ("over", f"ends = {moments['past'].isoformat()}"),
        ("not yet", f"begins = {moments['future'].isoformat()}"),
        ("now", f"begins = {moments['past'].isoformat()}\nends = {moments['future'].isoformat()}"),
    ]
    path.write_text("".join(f'[[announcement]]\ntext = "{text}"\n{line}\n' for text, line in lines))
    assert texts(Announcing(path)) == ["now"]


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    clock = [0.0]
    path = tmp_path / "a.toml"
    announcing = Announcing(path, lambda: clock[0])
    assert texts(announcing) == []
    path.write_text('[[announcement]]\ntext = "one"\n')
    assert texts(announcing) == []  # it has just been looked at
    clock[0] += LOOK
    assert texts(announcing) == ["one"]
    path.write_text('[[announcement]]\ntext = "another"\nlevel = 3\n')
    clock[0] += LOOK
    assert texts(announcing) == ["one"]
    assert "a.toml:3:" in announcing.problem
    path.replace(tmp_path / "b.toml")
    clock[0] += LOOK
    assert texts(announcing) == []
    assert announcing.problem == ""
