"""Whether the hub's database can be used, and what is said where it cannot."""

from __future__ import annotations

import importlib.util
import sqlite3
from pathlib import Path

import pytest

from clusterhub.errors import ClusterhubError
from clusterhub.hub.database import Database, DatabaseAway


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hub.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('abc')")
    connection.close()
    return path


@pytest.mark.parametrize("thoroughly", [False, True])
def test_a_database_that_can_be_written_is_left_as_it_is(file: Path, thoroughly: bool) -> None:
    Database(f"sqlite:///{file}").check(thoroughly=thoroughly)
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("abc",)]
    connection.close()


def test_one_that_another_process_writes_is_away(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseAway, match="database is locked") as away:
        database.check()
    assert str(file) in str(away.value)
    other.rollback()
    other.close()
    database.check()


def test_a_file_that_is_not_there_is_made_by_no_look(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    file.unlink()
    with pytest.raises(DatabaseAway, match="no such file"):
        database.check()
    database.check(may_be_new=True)
    assert not file.exists()


def test_a_file_that_is_no_database_is_said_in_a_sentence(file: Path) -> None:
    file.write_text("something else " * 100)
    with pytest.raises(DatabaseAway, match="not a database"):
        Database(f"sqlite:///{file}").check()


def test_a_missing_driver_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ClusterhubError) as missing:
        Database("postgresql+psycopg://hub@db/hub").check_driver()
    assert "pip install 'clusterhub[postgresql]'" in str(missing.value)


def test_a_password_that_a_drop_in_file_has_put_into_the_url_is_not_repeated(tmp_path: Path) -> None:
    database = Database(f"postgresql+psycopg://hub:hunter2@/hub?host={tmp_path}")
    with pytest.raises(DatabaseAway) as away:
        database.check()
    assert "hunter2" not in f"{database} {away.value}"
