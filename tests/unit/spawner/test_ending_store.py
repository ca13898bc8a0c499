"""What is kept of endings outlives the hub, and grows no further than it must."""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.schedulers.model import Outcome
from clusterhub.spawner.ending_store import FILE, KEPT, RECENT, Ending, EndingStore

ENDING = Ending(
    Explanation("It ended.", "job 17 on n1", "Start it again.", ("one line", "<another>")),
    profile="small",
    ended_at=time.time(),
    job="17",
    outcome=Outcome.OUT_OF_MEMORY,
    exit_code=1,
    signal=9,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EndingStore]:
    store = EndingStore(tmp_path / FILE)
    yield store
    store.close()


def test_the_next_hub_reads_what_the_former_one_kept(store: EndingStore) -> None:
    assert store.last("a") is None
    assert not store.path.exists()  # looking makes nothing
    refused = replace(ENDING, job="", outcome=None, exit_code=None, signal=None, served=False)
    store.keep({"a": ENDING, "b": refused})
    following = EndingStore(store.path)
    assert following.last("a") == ENDING
    assert following.last("b") == refused
    assert following.last("c") is None
    following.close()


def test_it_is_read_while_a_hub_writes_and_after_that_hub_was_killed(store: EndingStore) -> None:
    store.keep({"a": ENDING})
    other = EndingStore(store.path)  # the first one still has the file open, with its journal beside it
    assert other.last("a") == ENDING
    store.keep({"a": replace(ENDING, job="18")})
    assert (last := other.last("a")) is not None
    assert last.job == "18"
    other.close()


def test_only_the_last_ending_of_a_tag_is_kept_and_none_for_ever(store: EndingStore) -> None:
    store.keep({"a": ENDING, "old": replace(ENDING, ended_at=time.time() - KEPT - 1)})
    assert store.last("old") is None
    store.keep({"a": replace(ENDING, job="18")})
    with sqlite3.connect(store.path) as database:
        assert database.execute("SELECT tag FROM endings").fetchall() == [("a",)]
    database.close()


def test_a_new_start_takes_the_ending_off_the_page_and_forgets_nothing(store: EndingStore) -> None:
    store.keep({"a": ENDING})
    store.take_off_page("a")
    assert store.last("a") == replace(ENDING, on_page=False)


def test_the_last_few_sessions_of_a_person_are_kept_with_what_was_chosen(store: EndingStore) -> None:
    """Without RECENT in `_add_recent` whoever starts and stops all day would fill the disk."""
    tag, named = "clusterhub:hub:alice:", "clusterhub:hub:alice:analysis"
    assert store.recent("alice") == ()
    chosen = replace(ENDING, choice={"profile": "small", "cpus": 2}, on_page=False)
    store.keep({tag: chosen})
    store.keep(
        {named: replace(ENDING, job="18", ended_at=ENDING.ended_at + 1), "clusterhub:hub:bob:": ENDING}
    )
    better = replace(chosen, explanation=Explanation("It is said better now."))
    store.keep({tag: better})  # the same job
    assert [(each.server, each.ending.job) for each in store.recent("alice")] == [
        ("analysis", "18"),
        ("", "17"),
    ]
    assert store.recent("alice")[1].ending == better
    for number in range(RECENT + 5):
        store.keep({tag: replace(chosen, job=str(100 + number), ended_at=ENDING.ended_at + 2 + number)})
    assert [each.ending.job for each in store.recent("alice")] == [
        str(100 + number) for number in reversed(range(5, RECENT + 5))
    ]
    assert len(store.recent("bob")) == 1
    following = EndingStore(store.path)
    assert following.recent("alice") == store.recent("alice")
    following.close()


def test_the_store_of_an_earlier_version_has_no_recent_sessions_yet(store: EndingStore) -> None:
    store.keep({"a": ENDING})
    with sqlite3.connect(store.path) as database:
        database.execute("DROP TABLE recent")
    database.close()
    earlier = EndingStore(store.path)
    assert earlier.recent("alice") == ()
    earlier.keep({"clusterhub:hub:alice:": ENDING})
    assert len(earlier.recent("alice")) == 1
    earlier.close()


def test_only_the_hubs_account_can_read_it(store: EndingStore) -> None:
    store.keep({"a": ENDING})
    assert {path.stat().st_mode & 0o077 for path in store.path.parent.iterdir()} == {0}


def test_a_file_that_is_no_store_is_named(store: EndingStore) -> None:
    store.path.write_text("this is no database at all, and long enough to be looked at as one\n" * 20)
    with pytest.raises(ClusterhubError, match="cannot be read") as refusal:
        store.last("a")
    assert refusal.value.explanation.where == str(store.path)
