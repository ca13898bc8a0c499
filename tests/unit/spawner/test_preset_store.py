"""Choices are kept under names, of each person apart, and not without end.

Without the count in `PresetStore.keep` somebody fills the disk; without the person in a query of it, presets
are everybody's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clusterhub.errors import ClusterhubError
from clusterhub.spawner.preset_store import (
    LONGEST_CHOICE,
    LONGEST_NAME,
    MOST,
    Preset,
    PresetRefused,
    PresetStore,
    checked_name,
)


@pytest.fixture
def store(tmp_path: Path) -> PresetStore:
    return PresetStore(tmp_path / "presets.sqlite")


def names(store: PresetStore, person: str = "alice") -> list[str]:
    return [preset.name for preset in store.of(person)]


def test_what_was_kept_is_there_for_that_person_also_after_a_restart(store: PresetStore) -> None:
    assert store.of("alice") == ()
    preset = Preset("Big memory", {"profile": "interactive", "memory": 1 << 34})
    store.keep("alice", preset)
    assert PresetStore(store.path).of("alice") == (preset,)
    assert store.of("bob") == ()
    assert store.path.stat().st_mode & 0o077 == 0


def test_one_of_the_same_name_is_replaced(store: PresetStore) -> None:
    for cpus in (1, 2):
        store.keep("alice", Preset("a", {"cpus": cpus}))
    assert store.of("alice") == (Preset("a", {"cpus": 2}),)


def test_they_are_renamed_and_deleted_by_their_own_person(store: PresetStore) -> None:
    for name in ("b", "a", "C"):
        store.keep("alice", Preset(name, {}))
    store.keep("bob", Preset("a", {}))
    store.rename("alice", "a", "d")
    store.remove("alice", "b")
    assert names(store) == ["C", "d"]
    assert names(store, "bob") == ["a"]
    with pytest.raises(PresetRefused, match="no preset x"):
        store.rename("alice", "x", "y")
    with pytest.raises(PresetRefused, match="no preset a"):
        store.remove("alice", "a")
    with pytest.raises(PresetRefused, match="a preset C already"):
        store.rename("alice", "d", "C")
    assert names(store) == ["C", "d"]


def test_there_is_an_end_to_them(store: PresetStore) -> None:
    with ThreadPoolExecutor(8) as at_once:
        done = [at_once.submit(store.keep, "alice", Preset(f"{number}", {})) for number in range(MOST + 8)]
    assert len(names(store)) == MOST
    assert sum(isinstance(each.exception(), PresetRefused) for each in done) == 8
    store.keep("alice", Preset(names(store)[0], {"cpus": 2}))  # in the place of one
    with pytest.raises(PresetRefused, match="too long"):
        store.keep("bob", Preset("a", {"profile": "x" * LONGEST_CHOICE}))


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "a\u202eb", "x" * (LONGEST_NAME + 1), None, 7, ["a"]])
def test_a_name_is_a_short_line(name: object) -> None:
    with pytest.raises(PresetRefused):
        checked_name(name)
    assert checked_name("  two   cores ") == "two cores"


def test_a_file_that_is_no_database_is_said_so(store: PresetStore) -> None:
    store.path.write_text("no database")
    with pytest.raises(ClusterhubError) as caught:
        store.of("alice")
    assert caught.value.explanation.where == str(store.path)
