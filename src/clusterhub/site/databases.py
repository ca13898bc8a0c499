"""The kind of value that names the hub's database: a URL, as SQLAlchemy reads it, without a password."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from clusterhub.site.kinds import Kind, text_of
from clusterhub.site.quantities import Refused, quoted

POSTGRESQL = "postgresql+psycopg"
"""SQLAlchemy's name for PostgreSQL by the driver psycopg, version 3."""

ALLOWED = (
    'a URL such as "postgresql://clusterhub@db.example.org/clusterhub", '
    '"postgresql:///clusterhub?host=/run/postgresql" or "sqlite:////var/lib/clusterhub/jupyterhub.sqlite"'
)
ALLOWED_INSTEAD = (
    f"{ALLOWED}; the password goes into .pgpass in the home of the account that runs the hub, or into the "
    "file that its variable PGPASSFILE names"
)

_PASSWORD = re.compile(r"://[^/@]*:[^@]*@|[?&](ssl)?password=", re.IGNORECASE)
"""Also in what is not a whole URL: the one with a slash in its password, above all."""


def _read_database(given: object) -> str:
    text = text_of(given, "a database's URL", ALLOWED).strip()
    if _PASSWORD.search(unquote(text)):
        raise Refused("a password has no place in this file", ALLOWED_INSTEAD, secret=True)
    scheme, colon, rest = text.partition("://")
    if not colon or scheme not in ("sqlite", "postgresql", POSTGRESQL):
        raise Refused(f"{quoted(text)} names neither PostgreSQL nor SQLite", ALLOWED)
    return _sqlite(text, rest) if scheme == "sqlite" else _postgresql(text, rest)


def _sqlite(text: str, rest: str) -> str:
    # Three slashes begin a path from where the hub runs, four one from the root.
    if not re.fullmatch(r"//[^?#]*[^/?#]", rest):
        raise Refused(f"{quoted(text)} does not name a file by its path from the root", ALLOWED)
    return text


def _postgresql(text: str, rest: str) -> str:
    try:
        parts = urlsplit(f"postgresql://{rest}")
        _ = parts.port
    except ValueError:
        raise Refused(f"{quoted(text)} is not a URL", ALLOWED) from None
    if not parts.path.strip("/") or parts.fragment:
        raise Refused(f"{quoted(text)} does not name a database", ALLOWED)
    if parts.query and not parse_qsl(parts.query):
        raise Refused(f"{quoted(text)} has no name and value after its question mark", ALLOWED)
    return f"{POSTGRESQL}://{rest}"


DATABASE = Kind(
    "database's URL", _read_database, {"type": "string", "pattern": "^(sqlite|postgresql)[^:]*://"}
)
