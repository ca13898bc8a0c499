"""The hub's database: how it is reached, and a look whether it can be read and written now."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    PendingRollbackError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from clusterhub.errors import ClusterhubError
from clusterhub.hub.configure import as_config, resolve
from clusterhub.site.databases import POSTGRESQL
from clusterhub.site.schema import Site

BUSY_SECONDS = 1.0
"""How long a look waits for another process to let go of the database."""

TABLES = "users, spawners, servers, api_tokens"
"""Those that JupyterHub writes at every start and stop."""

OF_A_REQUEST = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
"""Errors of one statement; all others say that the database as a whole cannot be used."""


REMINDER = 60.0
"""Seconds between two lines about a database that is away."""


class DatabaseAway(ClusterhubError):
    """The hub's database cannot be used now."""


class Reminder:
    """Whether to say that the database is away: at once, and again while it stays so."""

    def __init__(self) -> None:
        self._told_at = float("-inf")

    def is_due(self) -> bool:
        """True where it is to be said now, by whoever asks."""
        if time.monotonic() - self._told_at <= REMINDER:
            return False
        self._told_at = time.monotonic()
        return True


def is_outage(error: BaseException | None) -> bool:
    """True for an error of SQLAlchemy's that says that the database cannot be used."""
    if isinstance(error, PendingRollbackError):  # what follows an error that somebody else saw
        return True
    return isinstance(error, DBAPIError) and not isinstance(error, OF_A_REQUEST)


def reason(error: BaseException) -> str:
    """What the database or its driver said, on one line. It holds no password: neither does the URL."""
    said = str(getattr(error, "orig", None) or error).strip()
    return " ".join(said.split()) or type(error).__name__


class Database:
    """The hub's database, looked at beside the hub's own use of it."""

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        """``url`` and ``options`` are JupyterHub's ``db_url`` and ``db_kwargs``. Raises ClusterhubError."""
        try:
            self.url = make_url(url if "://" in url else f"sqlite:///{url}")
        except ArgumentError:
            raise ClusterhubError(
                "The hub's database is not named by a URL.",
                where="db_url of JupyterHub",
                next="See with `clusterhub config show` where it is set.",
            ) from None
        self._options = dict(options or {})
        self._engine: Engine | None = None

    @classmethod
    def of(cls, site: Site) -> Database:
        """That of the site, or of the drop-in file that names another."""
        config = as_config(resolve(site)).JupyterHub
        return cls(config.db_url, config.get("db_kwargs", {}))

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for another, and for one in memory."""
        name = self.url.database
        named = self.url.get_backend_name() == "sqlite" and name and name != ":memory:"
        return Path(str(name)) if named and not str(name).startswith("file:") else None

    def check_driver(self) -> None:
        """Raises ClusterhubError where what speaks with the database is not installed."""
        if self.url.drivername == POSTGRESQL and importlib.util.find_spec("psycopg") is None:
            raise ClusterhubError(
                "The driver for PostgreSQL is not installed.",
                where=f"{self} ([hub] database)",
                next="Install it beside clusterhub: pip install 'clusterhub[postgresql]'",
            )

    def check(self, *, thoroughly: bool = False, may_be_new: bool = False) -> None:
        """Raises DatabaseAway unless the database can be read and written. May take seconds.

        ``thoroughly`` commits what it writes, which finds a full disk, too. ``may_be_new`` takes a database
        without tables, or that is no file yet, for one that JupyterHub is to set up.
        """
        try:
            if self.file is not None and not self.file.exists():
                if may_be_new and self.file.parent.is_dir():
                    return
                raise self.away("There is no such file")
            with self._looking().connect() as connection:
                if may_be_new and not inspect(connection).has_table("alembic_version"):
                    return
                self._write(connection)
                if thoroughly:
                    connection.commit()
        except (SQLAlchemyError, OSError) as error:
            raise self.away(reason(error)) from None

    def away(self, said: str) -> DatabaseAway:
        """What to say of the database, which cannot be used, to an operator."""
        return DatabaseAway(
            f"The hub's database cannot be used: {said.rstrip('.')}.",
            where=str(self),
            next="Sessions and queued jobs go on. The hub goes on by itself when the database is back.",
        )

    def _write(self, connection: Connection) -> None:
        """Changes a row, to what it is, that JupyterHub itself leaves alone while it runs."""
        if self.url.get_backend_name() == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{BUSY_SECONDS:.0f}s'"))
            connection.execute(text(f"LOCK TABLE {TABLES} IN ROW EXCLUSIVE MODE"))
        connection.execute(text("UPDATE alembic_version SET version_num = version_num"))

    def _looking(self) -> Engine:
        if self._engine is None:
            options = dict(self._options)
            if self.url.get_backend_name() == "sqlite":
                # Each look opens the file anew: what is open stays usable when its name is gone.
                options["poolclass"] = NullPool
                options["connect_args"] = {**options.get("connect_args", {}), "timeout": BUSY_SECONDS}
            self._engine = create_engine(self.url, **options)
            bound_answers(self._engine)
        return self._engine


def bound_answers(engine: Engine | type[Engine]) -> None:
    """Has connections to PostgreSQL, of this engine or of all, give up on a server that does not answer."""
    if importlib.util.find_spec("psycopg") is not None:
        from clusterhub.hub.postgresql import connect_bounded

        connect_bounded(engine)
