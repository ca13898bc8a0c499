"""How sessions ended, in a small database of its own: a restart of the hub forgets none.

Of each tag the last ending, which its pages tell, and of each person the last few of all.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.languages.text import as_record, from_record
from clusterhub.schedulers.model import Outcome
from clusterhub.spawner.messages import as_html
from clusterhub.spawner.tags import parse_tag

FILE = "endings.sqlite"
"""Its name in the hub's state directory."""

KEPT = 30 * 86400.0
"""Seconds for which an ending is kept."""

BUSY_SECONDS = 5.0
"""How long a write waits for another process to let go of the file, such as a copy for a backup."""

SENTENCES = ("what", "where", "next")
"""The parts of an explanation that are ours to say; its log is not."""

_TABLE = """\
CREATE TABLE IF NOT EXISTS endings (
    tag TEXT PRIMARY KEY,
    ended_at REAL NOT NULL,
    on_page INTEGER NOT NULL,
    ending TEXT NOT NULL
)"""

RECENT = 10
"""Endings of one person that are kept, of whichever servers."""

_RECENT_TABLE = """\
CREATE TABLE IF NOT EXISTS recent (
    person TEXT NOT NULL,
    tag TEXT NOT NULL,
    job TEXT NOT NULL,
    ended_at REAL NOT NULL,
    choice TEXT NOT NULL,
    ending TEXT NOT NULL
)"""
_RECENT_INDEX = "CREATE INDEX IF NOT EXISTS recent_person ON recent (person, ended_at)"


@dataclass(frozen=True)
class Ending:
    """How a session ended, or why its start failed."""

    explanation: Explanation
    profile: str
    """The profile's name."""
    ended_at: float
    """Seconds since the epoch; when it was noticed, where the scheduler does not tell."""
    job: str = ""
    """The job's id, empty where there was no job."""
    outcome: Outcome | None = None
    exit_code: int | None = None
    signal: int | None = None
    served: bool = True
    """False where the session ended before anybody could use it."""
    remedy: str = ""
    """What kind of change mends it: a value of `clusterhub.spawner.mending.Remedy`, or empty."""
    on_page: bool = True
    """Whether the person's page shows it: not a stop that was asked for, nor what was before a new start."""
    choice: Mapping[str, object] = field(default_factory=dict)
    """What was chosen, as `clusterhub.spawner.options.Choice.as_options` has it."""

    @property
    def html(self) -> str:
        """The explanation for a page."""
        return as_html(self.explanation)

    def as_json(self) -> dict[str, Any]:
        """The ending as the REST API tells it."""
        told = asdict(self.explanation)
        return {
            **told,
            "log": list(self.explanation.log),
            "job": self.job or None,
            "profile": self.profile,
            "outcome": self.outcome.value if self.outcome is not None else None,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "served": self.served,
            "remedy": self.remedy or None,
            "ended_at": self.ended_at,
        }

    def as_record(self) -> dict[str, Any]:
        """The ending as the store has it: as above, with its sentences as they are translated from."""
        parts = {name: as_record(getattr(self.explanation, name)) for name in SENTENCES}
        return {**self.as_json(), **parts}

    @classmethod
    def from_record(cls, told: Mapping[str, Any], *, on_page: bool) -> Ending:
        """What `as_record` made. Raises KeyError, TypeError or ValueError for anything else."""
        what, where, following = (from_record(told[name]) for name in SENTENCES)
        return cls(
            Explanation(what, where, following, tuple(told["log"])),
            profile=told["profile"],
            ended_at=float(told["ended_at"]),
            job=told["job"] or "",
            outcome=Outcome(told["outcome"]) if told["outcome"] is not None else None,
            exit_code=told["exit_code"],
            signal=told["signal"],
            served=told["served"],
            remedy=told.get("remedy") or "",
            on_page=on_page,
        )


@dataclass(frozen=True)
class Recent:
    """One ending of a person's."""

    server: str
    ending: Ending


class EndingStore:
    """One for each hub. Reading and writing have a connection each, so that neither waits for the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reading: sqlite3.Connection | None = None
        self._writing: sqlite3.Connection | None = None

    def last(self, tag: str) -> Ending | None:
        """How the last session of that tag ended, if that is not too long ago.

        Takes less than a millisecond. Raises `ClusterhubError` where the store cannot be read.
        """
        try:
            if self._reading is None:
                if not self.path.exists():
                    return None
                self._reading = self._open()
            query = "SELECT ending, on_page FROM endings WHERE tag = ? AND ended_at > ?"
            row = self._reading.execute(query, (tag, time.time() - KEPT)).fetchone()
            return Ending.from_record(json.loads(row[0]), on_page=bool(row[1])) if row is not None else None
        except (OSError, sqlite3.Error, KeyError, TypeError, ValueError) as error:
            raise self._unreadable(error) from None

    def recent(self, person: str) -> tuple[Recent, ...]:
        """How the last sessions of that person ended, newest first. Raises `ClusterhubError`, as `last`."""
        try:
            if self._reading is None:
                if not self.path.exists():
                    return ()
                self._reading = self._open()
            if not self._reading.execute("SELECT 1 FROM sqlite_master WHERE name = 'recent'").fetchone():
                return ()  # an earlier version's, which nothing was added to yet
            query = (
                "SELECT tag, choice, ending FROM recent "
                "WHERE person = ? AND ended_at > ? ORDER BY ended_at DESC"
            )
            found = []
            for tag, choice, ending in self._reading.execute(query, (person, time.time() - KEPT)):
                server = told.server if (told := parse_tag(tag)) is not None else ""
                told_of = Ending.from_record(json.loads(ending), on_page=False)
                found.append(Recent(server, replace(told_of, choice=json.loads(choice))))
            return tuple(found)
        except (OSError, sqlite3.Error, KeyError, TypeError, ValueError) as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> ClusterhubError:
        return ClusterhubError(
            f"The store of endings cannot be read: {error}.",
            where=str(self.path),
            next="Run this as root or as the hub's account; if the file is damaged, remove it.",
        )

    def keep(self, endings: Mapping[str, Ending]) -> None:
        """Makes these the last endings of their tags. Raises sqlite3.Error and OSError."""
        rows = [
            (tag, ending.ended_at, ending.on_page, json.dumps(ending.as_record()))
            for tag, ending in endings.items()
        ]
        writing = self._for_writing()
        with writing:
            writing.execute("DELETE FROM endings WHERE ended_at < ?", (time.time() - KEPT,))
            writing.executemany("INSERT OR REPLACE INTO endings VALUES (?, ?, ?, ?)", rows)
            writing.execute("DELETE FROM recent WHERE ended_at < ?", (time.time() - KEPT,))
            for tag, ending in endings.items():
                self._add_recent(writing, tag, ending)

    def _add_recent(self, writing: sqlite3.Connection, tag: str, ending: Ending) -> None:
        told = parse_tag(tag)
        if told is None:
            return
        if ending.job:  # it is said better now
            writing.execute("DELETE FROM recent WHERE tag = ? AND job = ?", (tag, ending.job))
        writing.execute(
            "INSERT INTO recent VALUES (?, ?, ?, ?, ?, ?)",
            (
                told.person,
                tag,
                ending.job,
                ending.ended_at,
                json.dumps(dict(ending.choice)),
                json.dumps(ending.as_record()),
            ),
        )
        writing.execute(
            "DELETE FROM recent WHERE person = ?1 AND rowid NOT IN "
            "(SELECT rowid FROM recent WHERE person = ?1 ORDER BY ended_at DESC LIMIT ?2)",
            (told.person, RECENT),
        )

    def take_off_page(self, tag: str) -> None:
        """A new session of that tag starts. Raises sqlite3.Error and OSError."""
        writing = self._for_writing()
        with writing:
            writing.execute("UPDATE endings SET on_page = 0 WHERE tag = ? AND on_page", (tag,))

    def close(self) -> None:
        """Lets go of the file."""
        for connection in (self._reading, self._writing):
            if connection is not None:
                connection.close()
        self._reading = self._writing = None

    def _for_writing(self) -> sqlite3.Connection:
        if self._writing is None:
            self.path.touch(mode=0o600)  # what is in it is the persons' own
            writing = self._open()
            writing.execute("PRAGMA journal_mode = WAL")
            for statement in (_TABLE, _RECENT_TABLE, _RECENT_INDEX):
                writing.execute(statement)
            self._writing = writing
        return self._writing

    def _open(self) -> sqlite3.Connection:
        # mode=rw: what a killed hub left in the journal is taken over, but no file is made.
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_SECONDS,
            check_same_thread=False,  # the hub writes in a thread; only ever one uses a connection
        )
