"""Everything that the audit log can say. The callers say what happened; `log` writes it.

No event has a field for what a session prints or for what somebody typed who is not known yet: people print
tokens, and type passwords into the wrong field.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

HUB = "hub"
"""Who did what nobody asked for."""

JOB = "job"
"""Who asks without a login: something on a node that says it is a session's job."""

DONE, REFUSED, FAILED = "done", "refused", "failed"
"""Outcomes: it was done; somebody was told no; it was tried and did not work."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What all events have. ``who`` is a person, ``service NAME``, ``hub``, ``job``, or empty: not known.

    What an event's own docstring says is also its part of the reference.
    """

    name: ClassVar[str] = ""
    who: str = HUB
    person: str = ""
    """On whose behalf, or whose session, account or token it is."""
    outcome: str = DONE
    why: str = ""
    """A word or sentence of the hub's own, where it was not done."""


COMMON = tuple(field.name for field in fields(Event))


@dataclass(frozen=True, kw_only=True)
class HubStarted(Event):
    """The hub began to work."""

    name = "hub started"
    version: str


@dataclass(frozen=True, kw_only=True)
class Login(Event):
    """Somebody tried to log in.

    `person` is empty where there is no account of the name that was typed, which may have been a
    password; `why` says the reason of a refusal in a word.
    """

    name = "login"


@dataclass(frozen=True, kw_only=True)
class Logout(Event):
    """Somebody logged out. Their sessions go on."""

    name = "logout"


@dataclass(frozen=True, kw_only=True)
class StartAsked(Event):
    """Somebody asked for a session. `status` is the HTTP status of the answer."""

    name = "start asked"
    server: str
    status: int


@dataclass(frozen=True, kw_only=True)
class StartFailed(Event):
    """A start came to nothing. `why` is the kind of error; the person's page and the hub's log say more."""

    name = "start failed"
    server: str
    job: str


@dataclass(frozen=True, kw_only=True)
class Submitted(Event):
    """The scheduler took a session's job."""

    name = "job submitted"
    server: str
    cluster: str
    profile: str
    job: str


@dataclass(frozen=True, kw_only=True)
class Adopted(Event):
    """A start went on with a job of that session that was in the queue already."""

    name = "job adopted"
    server: str
    cluster: str
    profile: str
    job: str


@dataclass(frozen=True, kw_only=True)
class Boarded(Event):
    """A job showed its ticket.

    Where it was refused, or told to ask again (`failed`), `person`, `server`, `job` and `node` are what it
    said of itself.
    """

    name = "boarding"
    server: str
    job: str
    node: str


@dataclass(frozen=True, kw_only=True)
class Served(Event):
    """A job said that its session serves. Where it was refused, the fields are what it said of itself."""

    name = "session serves"
    server: str
    job: str
    node: str


@dataclass(frozen=True, kw_only=True)
class StopAsked(Event):
    """Somebody asked for the end of a session. `status` is the HTTP status of the answer."""

    name = "stop asked"
    server: str
    status: int


@dataclass(frozen=True, kw_only=True)
class MessageAsked(Event):
    """An operator sent a person a message. `status` is the HTTP status of the answer."""

    name = "message sent"
    status: int


@dataclass(frozen=True, kw_only=True)
class Cancelled(Event):
    """The hub began to cancel a job; it tries until the scheduler confirms the end."""

    name = "job cancelled"
    cluster: str
    job: str


@dataclass(frozen=True, kw_only=True)
class Ended(Event):
    """A session's job ended, for another reason than a stop through the hub."""

    name = "session ended"
    server: str
    cluster: str
    job: str
    ended_as: str
    exit_code: int | None
    signal: int | None


@dataclass(frozen=True, kw_only=True)
class Entered(Event):
    """Somebody's browser was let into a running server, or was not.

    Where `who` is not `person`, it is somebody else's: what they do there, they do as `person`.
    """

    name = "server entered"
    server: str
    status: int


@dataclass(frozen=True, kw_only=True)
class RightGiven(Event):
    """Somebody has a role of the hub's from now on, as `admins` or `may_enter` of site.toml say."""

    name = "right given"
    role: str


@dataclass(frozen=True, kw_only=True)
class RightTaken(Event):
    """Somebody has that role no longer. At each start of the hub everybody's is empty, without a line."""

    name = "right taken"
    role: str


@dataclass(frozen=True, kw_only=True)
class TokenMade(Event):
    """Somebody asked for a token of the REST API. `scopes` is what was asked for, empty for all."""

    name = "token made"
    scopes: str
    status: int


@dataclass(frozen=True, kw_only=True)
class TokenRevoked(Event):
    """Somebody asked for the end of a token."""

    name = "token revoked"
    token: str
    status: int


@dataclass(frozen=True, kw_only=True)
class Changed(Event):
    """Somebody asked for another change through the REST API: of people, groups, shares, or the hub."""

    name = "change asked"
    method: str
    path: str
    status: int


@dataclass(frozen=True, kw_only=True)
class Looked(Event):
    """Somebody asked the REST API about somebody else, or about the hub, without the right to.

    JupyterHub answers 404 for people whom one may not see, as if they were not there.
    """

    name = "look refused"
    path: str
    status: int


@dataclass(frozen=True, kw_only=True)
class AccountDisabled(Event):
    """The account of somebody with a running session was disabled; `server` is being stopped for it."""

    name = "account disabled"
    server: str


@dataclass(frozen=True, kw_only=True)
class Repeated(Event):
    """So many more times the event `of` was refused to this address within a minute."""

    name = "repeated"
    of: str
    address: str
    times: int


@dataclass(frozen=True, kw_only=True)
class LinesLost(Event):
    """The log could not be written for so long that this many lines are missing here."""

    name = "lines lost"
    times: int


EVENTS: tuple[type[Event], ...] = (
    HubStarted,
    Login,
    Logout,
    StartAsked,
    StartFailed,
    Submitted,
    Adopted,
    Boarded,
    Served,
    Entered,
    StopAsked,
    MessageAsked,
    Cancelled,
    Ended,
    RightGiven,
    RightTaken,
    TokenMade,
    TokenRevoked,
    Changed,
    Looked,
    AccountDisabled,
    Repeated,
    LinesLost,
)
"""In the order in which they are documented."""

COMMON_FIELDS = {
    "time": "when, in UTC, as RFC 3339 has it, to the millisecond",
    "event": "one of the events below",
    "who": "who did it: a person, `service NAME`, `hub` for what the hub does of itself, `job` for a job "
    "that boards; empty for somebody who is not logged in",
    "person": "on whose behalf, or whose session, account or token it is; empty for nobody's",
    "outcome": "`done`; `refused`, where somebody was told no; `failed`, where it was tried and did not work",
    "why": "the reason, where it was not done",
    "request": "the id of the HTTP request for which it was done, which the answer had in `X-Request-Id`, "
    "and which lines of the hub's log and of the helper's audit log have; empty where there was none",
    "address": "the IP address from which that request came, as far as proxies that are trusted tell",
}
"""What every line has, in that order."""

FIELDS = {
    "version": "of clusterhub",
    "server": "the server's name; empty for the default one",
    "status": "HTTP status of the answer",
    "cluster": "as site.toml names it",
    "profile": "the profile's name",
    "job": "the job's id; empty where there is none yet",
    "node": "the node's host name",
    "ended_as": "the scheduler's verdict, as in the [REST API](rest-api.md)'s `outcome`; empty for none",
    "exit_code": "of the job; null where the scheduler does not tell",
    "signal": "that ended the job; null where there was none",
    "role": "`clusterhub-operator` for those in `admins`, `clusterhub-entry` for those in `may_enter`",
    "scopes": "scopes and roles that were asked for, with spaces between; empty for all that the person has",
    "token": "the token's id, not the token",
    "method": "of the request",
    "path": "of the request, below `/hub/`",
    "of": "the name of that event",
    "times": "how often",
}
"""What further fields are, in whichever event."""
