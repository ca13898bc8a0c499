"""The choices that people keep under names of their own, in a small database of the hub's."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from clusterhub.errors import ClusterhubError
from clusterhub.languages.text import _

FILE = "presets.sqlite"
"""Its name in the hub's state directory."""

MOST = 30
"""Presets of one person."""

LONGEST_NAME = 60
"""Characters."""

LONGEST_CHOICE = 16384
"""Characters of a choice as JSON."""

BUSY_SECONDS = 5.0
"""How long to wait for another process to let go of the file, such as a copy for a backup."""

_TABLE = """\
CREATE TABLE IF NOT EXISTS presets (
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    choice TEXT NOT NULL,
    PRIMARY KEY (person, name)
)"""


class PresetRefused(ClusterhubError):
    """A preset that cannot be kept, or is not there."""


@dataclass(frozen=True)
class Preset:
    """A choice under a name; the choice as `clusterhub.spawner.options.Choice.as_options` has it."""

    name: str
    choice: Mapping[str, str | int]


def checked_name(name: object) -> str:
    """The name of a preset. Raises PresetRefused."""
    given = " ".join(name.split()) if isinstance(name, str) else ""
    if not given or len(given) > LONGEST_NAME or not given.isprintable():
        raise PresetRefused(_("A preset has a name of 1 to {most} characters.").format(most=LONGEST_NAME))
    return given


class PresetStore:
    """One for each hub. Each call takes a few milliseconds, or waits for the file: run it in a thread.

    Raises ClusterhubError where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def of(self, person: str) -> tuple[Preset, ...]:
        """The person's presets, in the order of their names."""
        if not self.path.exists():
            return ()
        with self._open() as database:
            rows = database.execute("SELECT name, choice FROM presets WHERE person = ?", (person,)).fetchall()
        presets = [Preset(name, json.loads(choice)) for name, choice in rows]
        return tuple(sorted(presets, key=lambda preset: (preset.name.casefold(), preset.name)))

    def keep(self, person: str, preset: Preset) -> None:
        """Keeps it, in the place of one of the same name. Raises PresetRefused."""
        choice = json.dumps(dict(preset.choice))
        if len(choice) > LONGEST_CHOICE:
            raise PresetRefused(_("This choice is too long to be kept."))
        with self._open() as database:
            query = "SELECT count(*) FROM presets WHERE person = ? AND name != ?"
            if database.execute(query, (person, preset.name)).fetchone()[0] >= MOST:
                raise PresetRefused(
                    _("You have {most} presets, as many as are kept.").format(most=MOST),
                    next=_("Delete one of them first."),
                )
            row = (person, preset.name, choice)
            database.execute("INSERT OR REPLACE INTO presets VALUES (?, ?, ?)", row)

    def rename(self, person: str, name: str, new: str) -> None:
        """Another name for it. Raises PresetRefused where it is taken, or there is no such preset."""
        query = "UPDATE OR FAIL presets SET name = ? WHERE person = ? AND name = ?"
        try:
            with self._open() as database:
                if not database.execute(query, (new, person, name)).rowcount:
                    raise _no_such(name)
        except sqlite3.IntegrityError:
            raise PresetRefused(_("You have a preset {name} already.").format(name=new)) from None

    def remove(self, person: str, name: str) -> None:
        """Forgets it. Raises PresetRefused where there is none."""
        with self._open() as database:
            query = "DELETE FROM presets WHERE person = ? AND name = ?"
            if not database.execute(query, (person, name)).rowcount:
                raise _no_such(name)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The file, in one transaction that is written where nothing is raised."""
        try:
            if not self.path.exists():
                self.path.touch(mode=0o600)  # what is in it is the persons' own
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as database:
                database.execute(_TABLE)
                # At once: two saves must not both count before either has written.
                database.isolation_level = "IMMEDIATE"
                with database:
                    database.execute("BEGIN IMMEDIATE")
                    yield database
        except sqlite3.IntegrityError:
            raise
        except (OSError, sqlite3.Error) as error:
            raise ClusterhubError(
                _("Presets cannot be used: {error}.").format(error=error),
                where=str(self.path),
                next=_("Tell your operators."),
            ) from None


def _no_such(name: str) -> PresetRefused:
    return PresetRefused(_("You have no preset {name}.").format(name=name))
