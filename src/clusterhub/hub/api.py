"""What jobs ask of the hub: to board, to note that they serve, and how long they still have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from tornado.web import HTTPError

from clusterhub.audit.events import DONE, FAILED, JOB, REFUSED, Boarded, Served
from clusterhub.errors import ClusterhubError
from clusterhub.spawner.boarding import Boarding, Later, Refused, parse_question
from clusterhub.spawner.clusters import SETTING
from clusterhub.spawner.tags import Tag, parse_tag

MAX_BODY = 32768
"""Bytes; a claim is under 2 KiB."""

FORWARDED = ("X-Forwarded-For", "Forwarded")
"""The first is what configurable-http-proxy adds to every request."""


class JobHandler(APIHandler):
    """Of requests by jobs, which carry their own proof: no login, no cookie."""

    @property
    def boarding(self) -> Boarding:
        """The sessions that are expected."""
        boarding: Boarding = self.settings[SETTING].boarding
        return boarding

    @property
    def peer(self) -> str:
        """The connection's own address; a forwarded one is whatever the caller wrote into a header."""
        return str(self.request.connection.context.address[0])

    async def get_current_user(self) -> None:
        """Nobody. What JupyterHub reads of a token's owner and rights at each request is not needed here."""
        self._jupyterhub_user = None

    def check_xsrf_cookie(self) -> None:
        """No cookie takes part in this."""

    def json_body(self) -> Any:
        """The request's JSON. Raises HTTPError."""
        refuse_forwarded(self.request.headers)
        return parse_body(self.request.body)

    def note(self, body: Any, event: type[Boarded | Served], outcome: str = DONE, why: str = "") -> None:
        """In the audit log: what the job said of itself, which is true unless it was refused."""
        said = {key: value for key, value in body.items() if isinstance(value, str)} if body else {}
        tag = parse_tag(said.get("tag", ""))
        self.settings[SETTING].audit.note(
            event(
                who=JOB,
                person=tag.person if tag is not None else "",
                outcome=outcome,
                why=why,
                server=tag.server if tag is not None else "",
                job=said.get("job", ""),
                node=said.get("node", ""),
            )
        )

    def refuse(
        self, error: ClusterhubError, body: Any = None, event: type[Boarded | Served] | None = None
    ) -> HTTPError:
        """503 means "ask again"; 403 that asking again will not help."""
        what = error.explanation.what.replace("%", "%%")
        outcome = FAILED if isinstance(error, Later) else REFUSED
        if event is not None:
            self.note(body if isinstance(body, dict) else {}, event, outcome, error.explanation.what)
        if outcome == FAILED:
            return HTTPError(503, what)
        self.log.warning("Refused a job's request from %s: %s", self.request.remote_ip, error)
        return HTTPError(403, what)


def refuse_forwarded(headers: Mapping[str, str]) -> None:
    """Raises HTTPError for what came through the proxy: its peer would be the proxy, on this machine."""
    if any(name in headers for name in FORWARDED):
        raise HTTPError(403, "Jobs ask the hub itself, not through its proxy.")


def parse_body(body: bytes) -> Any:
    """The JSON in a request's body. Raises HTTPError."""
    if len(body) > MAX_BODY:
        raise HTTPError(413, "A request of a job is a small JSON object.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # the latter for brackets in brackets
        raise HTTPError(400, "A request of a job is a JSON object.") from None


class ClaimHandler(JobHandler):
    """``POST /hub/api/clusterhub/claim``: trades a ticket for token and settings.

    See `clusterhub.spawner.boarding.Claim` for the fields.
    """

    async def post(self) -> None:
        """Answers ``{"environment": {...}, "arguments": [...]}``."""
        body = self.json_body()
        try:
            reply = await self.boarding.claim(body, self.peer)
        except ClusterhubError as error:
            raise self.refuse(error, body, Boarded) from None
        self.note(body, Boarded)
        self.set_header("Cache-Control", "no-store")
        self.write(json.dumps(dict(reply)))


class ReadyHandler(JobHandler):
    """``POST /hub/api/clusterhub/ready``: the session whose token this is serves now.

    See `clusterhub.spawner.boarding.Ready` for the fields.
    """

    async def post(self) -> None:
        """Answers ``{}``."""
        body = self.json_body()
        try:
            await self.boarding.ready(body, self.get_auth_token() or "", self.peer)
        except ClusterhubError as error:
            raise self.refuse(error, body, Served) from None
        self.note(body, Served)
        self.write("{}")


class TimeHandler(JobHandler):
    """``POST /hub/api/clusterhub/time``: how long the job of the session whose token this is still has.

    See `clusterhub.spawner.boarding.Question` for the fields.
    """

    async def post(self) -> None:
        """Answers ``{"remaining_s": ..., "seen_s_ago": ...}``."""
        try:
            asked = parse_question(self.json_body())
            spawner = self.spawner_of(parse_tag(asked.tag))
            left = spawner.time_left(asked, self.get_auth_token() or "")
        except ClusterhubError as error:
            raise self.refuse(error) from None
        self.write(json.dumps(dict(left)))

    def spawner_of(self, tag: Tag | None) -> Any:
        """The server that a tag names. Raises Refused where there is none."""
        user = self.find_user(tag.person) if tag is not None else None
        if tag is None or user is None or tag.server not in user.orm_user.orm_spawners:
            raise Refused("The hub knows no such session.")
        return user.spawners[tag.server]


HANDLERS = [
    (r"/api/clusterhub/claim", ClaimHandler),
    (r"/api/clusterhub/ready", ReadyHandler),
    (r"/api/clusterhub/time", TimeHandler),
]
