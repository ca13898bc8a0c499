"""The tag by which a job is found again in the queue, whatever happened to the hub meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "clusterhub"


@dataclass(frozen=True)
class Tag:
    """Which hub's, which person's and which server's a job is; travels in the job's comment."""

    hub: str
    person: str
    server: str
    """Name of the person's server, empty for the default one."""

    def __str__(self) -> str:
        return f"{PREFIX}:{self.hub}:{self.person}:{self.server}"


def parse_tag(text: str) -> Tag | None:
    """The tag in a job's comment, None where there is none of ours.

    A hub's id and a server's name are slugs without a colon, so what is left is the person.
    """
    prefix, _, rest = text.strip().partition(":")
    hub, _, rest = rest.partition(":")
    person, colon, server = rest.rpartition(":")
    if prefix != PREFIX or not hub or not person or not colon:
        return None
    return Tag(hub, person, server)
