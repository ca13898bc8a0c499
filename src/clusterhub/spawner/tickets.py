"""Tickets: what a job shows, once, to prove which session it is.

Where the cluster has munge, the job makes a munge credential on its node: munge vouches for uid and host,
only the hub's account can decode it, and only once. Nothing secret lies anywhere while the job waits.
Elsewhere there is a secret in a 0600 file in a 0700 directory of that person's. It is computed from a key of
the hub's and a nonce, so that a hub that was restarted still knows the secrets of waiting jobs. The secret
itself stays on the node: each ticket is a MAC by it over what the job says, and a random text.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers import command
from clusterhub.schedulers.model import CommandResult
from clusterhub.session.launcher import file_mac
from clusterhub.spawner.newest_first import NewestFirst, Overtaken
from clusterhub.spawner.secret_files import ensure_secret, unusable

UNMUNGE_TIMEOUT = 10.0
"""Seconds."""

MOST_UNMUNGES = 8
"""Processes at once: anybody who reaches the hub can ask for one."""

MOST_WAITING = 500
"""Tickets that wait for one; a class of 200 boards within seconds."""

_CLOCKS = re.compile(r"(?:Expired|Rewound) credential")
"""What unmunge says of a credential from the past, or the future, by more than it allows: 300 seconds, unless
the site changed that. Ours is made for each claim, so it is neither unless a clock is off."""

_unmunges = NewestFirst(MOST_UNMUNGES, MOST_WAITING)


class TicketRefused(ClusterhubError):
    """The ticket proves nothing: wrong, used before, too old, or not readable."""


class Crowded(ClusterhubError):
    """So many tickets came that this one was not looked at."""


@dataclass(frozen=True)
class Proof:
    """What a good ticket vouches for; None where this kind of ticket cannot tell."""

    uid: int | None = None
    address: str | None = None
    payload: str | None = None


def ensure_key(path: Path) -> bytes:
    """The hub's key for file tickets, made on first use, readable by the hub's account only.

    Raises ClusterhubError where the file holds something else.
    """
    try:
        return bytes.fromhex(ensure_secret(path))
    except ValueError:
        raise unusable(path, "is not hexadecimal") from None


def file_secret(key: bytes, tag: str) -> str:
    """What tickets for a new job of the session of that tag are made with: ``NONCE.SECRET``."""
    nonce = secrets.token_hex(16)
    return f"{nonce}.{_mac(key, tag, nonce)}"


def check_file_ticket(key: bytes, tag: str, ticket: str, payload: str, given: str = "") -> Proof:
    """Raises TicketRefused unless this ticket was made for that payload with a secret of this tag.

    ``given`` is what `file_secret` made for the job; empty where nobody knows it any more.
    """
    nonce, _, rest = ticket.partition(".")
    once, _, mac = rest.partition(".")
    secret = _mac(key, tag, nonce)
    if not hmac.compare_digest(file_mac(secret, once, payload).encode(), mac.encode()):
        raise TicketRefused("The ticket is not one of this hub's for this session and claim.")
    if given and not hmac.compare_digest(given, f"{nonce}.{secret}"):
        raise TicketRefused("The ticket is of an earlier job of this session.")
    return Proof(payload=payload)


def _mac(key: bytes, tag: str, nonce: str) -> str:
    return hmac.new(key, f"{tag}\n{nonce}".encode(), hashlib.sha256).hexdigest()


def _times(fields: Mapping[str, str]) -> str:
    """When the credential was made and read, each by its host's clock; empty where unmunge does not tell."""
    made, read = (fields.get(key, "").partition(" (")[0] for key in ("ENCODE_TIME", "DECODE_TIME"))
    return f"made at {made} by the node's clock, read at {read} by the hub's" if made and read else ""


async def check_munge_ticket(credential: str) -> Proof:
    """Decodes a munge credential, which uses it up. Raises TicketRefused and Crowded."""
    try:
        async with _unmunges.turn():
            result = await command.run(
                ("unmunge",),
                environment=os.environ,
                timeout=UNMUNGE_TIMEOUT,
                max_output=65536,
                stdin=credential,
            )
    except Overtaken:
        raise Crowded("Too many tickets are shown at the moment.") from None
    return parse_unmunge(result)


def parse_unmunge(result: CommandResult) -> Proof:
    """Reads what ``unmunge`` prints (unmunge(1)): header lines, an empty line, the payload."""
    header, _, payload = result.stdout.partition("\n\n")
    fields = dict(re.findall(r"^(\w+):\s+(.*?)\s*$", header, flags=re.MULTILINE))
    if result.exit_code != 0 or not fields.get("STATUS", "").startswith("Success"):
        said = fields.get("STATUS") or result.stderr.strip() or result.problem
        if apart := _CLOCKS.search(said):
            raise TicketRefused(
                f"The clocks of the node and of the hub differ by more than munge allows ({apart[0]}).",
                where=_times(fields),
                next="Check that a time service runs on both, with `timedatectl` or `chronyc tracking`.",
            )
        raise TicketRefused(
            f"munge did not accept the session's credential: {said}",
            next="Check with `munge -n | unmunge` on the hub's host, and that all hosts agree on the time.",
        )
    uid = re.search(r"\((\d+)\)$", fields.get("UID", ""))
    host = re.search(r"\(([0-9a-fA-F.:]+)\)$", fields.get("ENCODE_HOST", ""))
    if uid is None:
        raise TicketRefused("unmunge answered without a UID.")
    return Proof(uid=int(uid[1]), address=host[1] if host else None, payload=payload.rstrip("\n"))
