"""What the audit log says of requests to JupyterHub's own pages and REST API: one table of addresses."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from jupyterhub import orm
from jupyterhub.log import log_request

from clusterhub.audit.events import (
    DONE,
    FAILED,
    REFUSED,
    Changed,
    Entered,
    Event,
    Looked,
    MessageAsked,
    StartAsked,
    StopAsked,
    TokenMade,
    TokenRevoked,
)
from clusterhub.audit.log import AuditLog

SAFE = ("GET", "HEAD", "OPTIONS")

UNLOGGED = frozenset({"X-Xsrftoken", "Referer"})
"""Headers that JupyterHub would log of a request that failed: a secret of the page, and an address that may
have one in it."""

FORBIDDEN, NOT_FOUND = 403, 404

DECIDED = (302, 403)
"""HTTP status of a request to be let into a server that was decided."""

ENOUGH = 8
"""Scopes of a token that are named; more are counted."""


@dataclass(frozen=True)
class Answered:
    """A request that has been answered, as far as the audit log cares."""

    method: str
    path: str
    """Below the hub's prefix, such as ``api/users/alice/server``, still quoted."""
    body: bytes
    who: str
    status: int
    location: str = ""
    entered: tuple[str, str] | None = None
    """Person and server, of a request to be let into one."""

    @property
    def outcome(self) -> str:
        """As far as HTTP tells: 4xx is a no, but for 424, with which a start says that the cluster failed."""
        if self.status < 400:  # noqa: PLR2004 - HTTP's classes
            return DONE
        return REFUSED if self.status < 500 and self.status != 424 else FAILED  # noqa: PLR2004 - as above


def _server(answered: Answered, found: Mapping[str, str], kind: type[StartAsked | StopAsked]) -> Event:
    return kind(
        who=answered.who,
        person=found.get("person") or answered.who,
        outcome=answered.outcome,
        server=found.get("server") or "",
        status=answered.status,
    )


def _start(answered: Answered, found: Mapping[str, str]) -> Event | None:
    return _server(answered, found, StartAsked)


def _stop(answered: Answered, found: Mapping[str, str]) -> Event | None:
    return _server(answered, found, StopAsked)


def _message(answered: Answered, found: Mapping[str, str]) -> Event | None:
    return MessageAsked(
        who=answered.who, person=found["person"], outcome=answered.outcome, status=answered.status
    )


def _entered(answered: Answered, _found: Mapping[str, str]) -> Event | None:
    if answered.entered is None or (answered.status < 400 and "code=" not in answered.location):  # noqa: PLR2004 - asks the person first
        return None
    person, server = answered.entered
    return Entered(
        who=answered.who, person=person, outcome=answered.outcome, server=server, status=answered.status
    )


def _token_made(answered: Answered, found: Mapping[str, str]) -> Event | None:
    return TokenMade(
        who=answered.who,
        person=found["person"],
        outcome=answered.outcome,
        scopes=_scopes(answered.body),
        status=answered.status,
    )


def _scopes(body: bytes) -> str:
    """The scopes and roles that a token was asked for with; the note beside them is a person's own."""
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return ""
    if not isinstance(asked, dict):
        return ""
    words = [word for key in ("scopes", "roles") if isinstance(asked.get(key), list) for word in asked[key]]
    named = [word[:80] for word in words if isinstance(word, str)][:ENOUGH]
    return " ".join([*named, f"and {len(words) - ENOUGH} more"] if len(words) > ENOUGH else named)


def _token_revoked(answered: Answered, found: Mapping[str, str]) -> Event | None:
    return TokenRevoked(
        who=answered.who,
        person=found["person"],
        outcome=answered.outcome,
        token=found["token"],
        status=answered.status,
    )


def _changed(answered: Answered, found: Mapping[str, str]) -> Event | None:
    return Changed(
        who=answered.who,
        person=found.get("person") or "",
        outcome=answered.outcome,
        method=answered.method,
        path=unquote(answered.path),
        status=answered.status,
    )


def _looked(answered: Answered, found: Mapping[str, str]) -> Event | None:
    person = found.get("person") or ""
    # Of one's own that is not there, or of nobody in particular, 404 is no refusal.
    if answered.status != FORBIDDEN and (answered.status != NOT_FOUND or person in ("", answered.who)):
        return None
    return Looked(
        who=answered.who,
        person=person,
        outcome=REFUSED,
        path=unquote(answered.path),
        status=answered.status,
    )


def _nothing(_answered: Answered, _found: Mapping[str, str]) -> Event | None:
    return None


Rule = Callable[[Answered, Mapping[str, str]], Event | None]

_USER = r"api/users/(?P<person>[^/]+)"
_SERVER = rf"{_USER}/(?:server|servers/(?P<server>[^/]*))"
_PAGE = r"spawn(?:/(?P<person>[^/]+)(?:/(?P<server>[^/]+))?)?"

RULES: tuple[tuple[str, str, Rule], ...] = (
    ("POST", _SERVER, _start),
    ("DELETE", _SERVER, _stop),
    ("POST", _PAGE, _start),
    ("POST", r"clusterhub/stop/(?P<person>[^/]+)(?:/(?P<server>[^/]+))?", _stop),
    ("POST", r"clusterhub/restart/(?P<person>[^/]+)(?:/(?P<server>[^/]+))?", _stop),
    ("POST", r"clusterhub/message/(?P<person>[^/]+)", _message),
    ("POST", r"clusterhub/remove/(?P<person>[^/]+)/[^/]+", _changed),
    ("POST", rf"{_USER}/tokens", _token_made),
    ("DELETE", rf"{_USER}/tokens/(?P<token>[^/]+)", _token_revoked),
    ("GET", r"api/oauth2/authorize", _entered),
    ("POST", r"api/oauth2/authorize", _entered),
    # Sessions say every few minutes that they are used; codes are traded for what was allowed just before.
    ("POST", rf"{_USER}/activity", _nothing),
    ("POST", r"api/oauth2/token", _nothing),
    # Jobs: those events are noted where they are judged.
    ("POST", r"api/clusterhub/(?:claim|ready|time)", _nothing),
    # A question, which changes nothing.
    ("POST", r"api/clusterhub/estimate/[^/]+", _nothing),
    ("GET", r"api/(?:users|shares|clusterhub/(?:sessions|endings))/(?P<person>[^/]+)(?:/.*)?", _looked),
    ("GET", r"api/.*", _looked),
    ("*", r"api/clusterhub/presets/(?P<person>[^/]+)", _changed),
    # Whatever else changes something.
    ("*", rf"{_USER}(?:/.*)?", _changed),
    ("*", r"api/.*", _changed),
)
"""Method, address below the hub's prefix, and what makes the event; the first that fits counts."""


def event_of(answered: Answered) -> Event | None:
    """What the audit log says of a request; None for what changes nothing."""
    for method, pattern, rule in RULES:
        if method == answered.method or (method == "*" and answered.method not in SAFE):
            found = re.fullmatch(pattern, answered.path)
            if found:
                return rule(answered, {key: unquote(value or "") for key, value in found.groupdict().items()})
    return None


def who_is(current: Any) -> str:
    """A person's name, ``service NAME``, or empty for nobody, from JupyterHub's ``current_user``."""
    if current is None:
        return ""
    return f"service {current.name}" if isinstance(current, orm.Service) else str(current.name)


def answered(handler: Any) -> Answered:
    """The request of one of JupyterHub's handlers, which it has answered."""
    request = handler.request
    prefix = handler.settings["hub"].base_url
    path = urlsplit(request.uri).path.removeprefix(prefix)
    status = handler.get_status()
    return Answered(
        method=request.method,
        path=path,
        body=request.body if path.endswith("/tokens") else b"",
        who=who_is(getattr(handler, "_jupyterhub_user", None)),
        status=status,
        location=handler._headers.get("Location", ""),
        entered=_asked_to_enter(handler) if path == "api/oauth2/authorize" and status in DECIDED else None,
    )


def _asked_to_enter(handler: Any) -> tuple[str, str] | None:
    asked = handler.get_query_argument("client_id", "")
    client = handler.db.query(orm.OAuthClient).filter_by(identifier=asked).first()
    spawner = client.spawner if client is not None else None
    return (spawner.user.name, spawner.name) if spawner is not None else None


def auditing(audit: AuditLog, log: Callable[[Any], None] = log_request) -> Callable[[Any], None]:
    """For tornado's setting ``log_function``, which is called with each handler that has answered."""

    def note_and_log(handler: Any) -> None:
        try:
            event = event_of(answered(handler)) if hasattr(handler, "_jupyterhub_user") else None
            if event is not None:
                audit.note(event)
        except Exception:  # the answer is out already; whatever is wrong here must not spoil the connection
            logging.getLogger("clusterhub").exception("A request is missing in the audit log")
        for name in UNLOGGED & set(handler.request.headers):
            del handler.request.headers[name]
        log(handler)

    return note_and_log
