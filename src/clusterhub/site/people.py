"""Who is meant by a list of people: users by name, groups with an `@` before them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated

from clusterhub.site.kinds import ListOf, matching

ENTRY = matching(
    "a user or group",
    r"(?!-)[^\s:/,@\x00-\x1f\x7f][^\s:/,\x00-\x1f\x7f]*|@(?!-)[^\s:/,@\x00-\x1f\x7f]([^:/,\x00-\x1f\x7f]*[^\s:/,\x00-\x1f\x7f])?",
    'a user\'s name, such as "alice", or "@" and a Unix group\'s name, such as "@hpc-users"',
)
People = Annotated[
    tuple[Annotated[str, ENTRY], ...],
    ListOf("list of users and `@groups`", 'a list such as ["alice", "@hpc-users"]', may_be_empty=True),
]


def listed(entries: Iterable[str], person: str, groups: Collection[str]) -> bool:
    """True where the person, or one of the Unix groups that the person is in, is among the entries."""
    return any(entry[1:] in groups if entry.startswith("@") else entry == person for entry in entries)


def allowed(entries: Collection[str], person: str, groups: Collection[str]) -> bool:
    """As `listed`; and an empty list of entries allows everybody."""
    return not entries or listed(entries, person, groups)
