"""Boarding: a job on a node shows its ticket and gets what its session needs, if everything about it fits.

This is the only way by which an address becomes an endpoint that the hub routes to.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.model import Job, JobState
from clusterhub.session.launcher import VERSION
from clusterhub.spawner import places
from clusterhub.spawner.tickets import Proof

MAX_FIELD = 512
"""Characters in the longest text of a claim but its ticket; a tag has at most 400, a host name 255. They are
said again in refusals, and longer ones could fill the log."""

MAX_TICKET = 8192
"""Characters in the longest ticket (a munge credential is about 300)."""

LAST_PORT = 65535

MAX_RESTART = 2**31
"""Beyond what any scheduler counts to."""

MOST_MEMORY = 2**50
MOST_MILLICORES = 10**8
"""What a session may say that it uses on one node; no node has as much."""

MOST_SHOWN = 1000
"""Tickets that one session may show: a few for each try, even of a hub that is away for long."""

MOST_OVER = 10_000
"""Jobs that are remembered to be over."""


class Refused(ClusterhubError):
    """This claim is not accepted, and trying again will not help."""


class Later(ClusterhubError):
    """This claim cannot be judged yet; the job should ask again."""


@dataclass(frozen=True)
class Ticket:
    """What the job shows; see `clusterhub.spawner.tickets`."""

    kind: str
    value: str


@dataclass(frozen=True)
class Claim:
    """What a job says of itself when it boards. Exactly these fields, each of exactly this type."""

    version: int
    tag: str
    job: str
    restart: int
    node: str
    address: str
    port: int
    claim: str
    """Random; tells a reply that was lost and is asked for again from somebody else's second claim."""
    ticket: Ticket

    @property
    def payload(self) -> str:
        """The text that a munge credential must carry: everything but the ticket itself."""
        body = asdict(self)
        del body["ticket"]
        return json.dumps(body, sort_keys=True)


@dataclass(frozen=True)
class Ready:
    """What a job says when its server serves; the session's token is the proof."""

    version: int
    tag: str
    job: str
    restart: int
    node: str
    address: str
    port: int


@dataclass(frozen=True)
class Usage:
    """What a session says that its job uses on its node: bytes, and thousandths of a core."""

    memory: int
    millicores: int


@dataclass(frozen=True)
class Question:
    """What a session says when it asks how long its job still has; its token is the proof."""

    version: int
    tag: str
    job: str
    restart: int
    usage: Usage | None = None
    """None where it has not looked yet, or was submitted by a version that does not."""


def parse_claim(body: object) -> Claim:
    """Reads a claim. Raises Refused for anything that is not exactly one."""
    claim: Claim = _exactly(Claim, body, ticket=lambda value: _exactly(Ticket, value))
    _check_endpoint(claim)
    return claim


def parse_ready(body: object) -> Ready:
    """Reads what a job says when it serves. Raises Refused for anything that is not exactly that."""
    ready: Ready = _exactly(Ready, body)
    _check_endpoint(ready)
    return ready


def parse_question(body: object) -> Question:
    """Reads a question. Raises Refused for anything that is not exactly one."""
    given = {"usage": None, **body} if isinstance(body, dict) else body
    question: Question = _exactly(Question, given, usage=_parse_usage)
    return question


def _parse_usage(body: object) -> Usage | None:
    if body is None:
        return None
    usage: Usage = _exactly(Usage, body)
    if not (0 <= usage.memory <= MOST_MEMORY and 0 <= usage.millicores <= MOST_MILLICORES):
        raise Refused("No node has or uses so much.")
    return usage


def _check_endpoint(said: Claim | Ready) -> None:
    address = _address(said)
    countable = 0 < said.port <= LAST_PORT and 0 <= said.restart < MAX_RESTART
    if address.is_unspecified or address.is_multicast or not countable:
        raise Refused("The job's address or port is not one to connect to.")


def _address(said: Claim | Ready) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address where the connection would go: what is mapped into IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(said.address)
    except ValueError:
        raise Refused("The job's address is not an IP address.") from None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.scope_id is not None:  # free text, which would become part of a URL
        raise Refused("The job's address is not one to connect to.")
    return address.ipv4_mapped or address


def _exactly(kind: type[Any], body: object, **nested: Callable[[object], Any]) -> Any:
    """An instance of that dataclass from a JSON object with exactly its fields, of exactly their types."""
    if not isinstance(body, dict):
        raise Refused(f"A {kind.__name__.lower()} is a JSON object.")
    if body.get("version", VERSION) != VERSION:
        raise Refused(
            f"This hub speaks version {VERSION} of the exchange, and the job another one.",
            next="Start the session again: the job was submitted by another version of clusterhub.",
        )
    names = {each.name for each in fields(kind)}
    if set(body) != names:
        wrong = ", ".join(sorted(f"{name!a:.40}" for name in set(body) ^ names))
        raise Refused(
            f"A {kind.__name__.lower()} has exactly the documented fields; differing: {wrong:.200}."
        )
    values: dict[str, Any] = {}
    for each in fields(kind):
        value = body[each.name]
        if each.name in nested:
            values[each.name] = nested[each.name](value)
            continue
        if each.type == "int" and type(value) is not int:
            raise Refused(f"The field {each.name!r} is a number.")
        longest = MAX_TICKET if kind is Ticket else MAX_FIELD
        if each.type != "int" and not _is_plain_text(value, longest):
            raise Refused(
                f"The field {each.name!r} is a text of at most {longest} printable ASCII characters."
            )
        values[each.name] = value
    return kind(**values)


def _is_plain_text(value: object, longest: int) -> bool:
    """True for what can be compared, encoded, resolved and written to a log as it is."""
    return isinstance(value, str) and len(value) <= longest and value.isascii() and value.isprintable()


@dataclass
class Expectation:
    """A session whose job has been, or is about to be, submitted, and has not boarded yet."""

    tag: str
    person: str
    uid: int
    find_job: Callable[[str], Awaitable[Job | None]]
    """Looks for the job in a snapshot that is fresh enough to show it running."""
    check_ticket: Callable[[Ticket, str], Awaitable[Proof]]
    """Called with the ticket, and the text that it is to vouch for."""
    board: Callable[[Claim], Awaitable[Mapping[str, Any]]]
    """Called with an accepted claim; returns the reply."""
    owns_token: Callable[[str], bool]
    """Whether the session was given this token: by this hub, or by the one that was here before a restart."""
    ready: Callable[[Ready], None]
    """Called when the job says that it serves."""
    any_address: bool = False
    """The operator named an interface, whose address munge and the scheduler need not know."""
    local: bool = False
    """The cluster is this machine: sessions listen on its own addresses, such as loopback, on no other."""
    accepted: dict[tuple[str, int], str | None] = field(default_factory=dict)
    """Which claim was accepted for each job and restart; None once its session serves, which has had its
    answer."""
    shown: set[str] = field(default_factory=set)
    """The tickets that were good, each for once."""


class Boarding:
    """The sessions that are expected, by tag."""

    def __init__(self) -> None:
        self._expected: dict[str, Expectation] = {}
        self._over: OrderedDict[tuple[str, str], None] = OrderedDict()

    def expect(self, expectation: Expectation) -> None:
        """From now on a job of this tag may board."""
        self._expected[expectation.tag] = expectation

    def forget(self, tag: str, over: str = "") -> None:
        """No job of this tag is expected any more; ``over`` is one that nobody will ever expect again.

        Others may come back: one that is requeued, or that turns up after its submission was given up.
        """
        self._expected.pop(tag, None)
        if over:
            self._over[tag, over] = None
            if len(self._over) > MOST_OVER:
                self._over.popitem(last=False)

    async def claim(self, body: object, peer: str) -> Mapping[str, Any]:
        """Trades a ticket for what the session needs.

        ``peer`` is the address the request came from. Raises Refused and Later.
        """
        claim = parse_claim(body)
        expected = self._find(claim.tag, claim.job)
        proof = await self._prove(expected, claim)
        job = await expected.find_job(claim.job)
        node = check_job(expected, claim, job)
        await self._check_where(expected, claim, node, peer, proof)
        previous = expected.accepted.setdefault((claim.job, claim.restart), claim.claim)
        if previous is None or not hmac.compare_digest(previous, claim.claim):
            raise Refused(
                "This job has boarded already: a ticket is accepted once per job and restart.",
                where=f"job {claim.job}",
            )
        return await expected.board(claim)

    async def ready(self, body: object, token: str, peer: str) -> None:
        """Notes that a session serves. Raises Refused and Later.

        The endpoint is checked as in a claim: of a session that boarded before the hub was restarted, this is
        the first that the hub hears.
        """
        ready = parse_ready(body)
        expected = self._find(ready.tag, ready.job)
        if not expected.owns_token(token):
            raise Refused("The token is not this session's.", where=f"job {ready.job}")
        node = check_job(expected, ready, await expected.find_job(ready.job))
        await self._check_where(expected, ready, node, peer)
        expected.accepted[ready.job, ready.restart] = None
        expected.ready(ready)

    def _find(self, tag: str, job: str) -> Expectation:
        expected = self._expected.get(tag)
        if expected is not None:
            return expected
        if (tag, job) in self._over:
            raise Refused(
                "This session has ended, or its start was given up: its tickets are worth nothing any more.",
                where=f"job {job}",
            )
        raise Later("The hub does not expect this session now.", where=f"job {job}")

    async def _check_where(
        self, expected: Expectation, said: Claim | Ready, node: str, peer: str, proof: Proof | None = None
    ) -> None:
        """Raises Elsewhere unless it was said on the node, and of it. ``proof`` is a claim's."""
        if expected.local:
            for address in (said.address, peer):
                places.check_is_of_this_machine(address, said.job)
            return
        places.check_reachable(_address(said), said.job)
        if expected.any_address:
            return
        known = await places.addresses_of(node)
        seen = (peer, proof.address if proof is not None else None)
        if proof is not None:
            places.check_made_there(node, known, seen, said.job)
        places.check_is_nodes(said.address, node, known, seen, said.job)

    async def _prove(self, expected: Expectation, claim: Claim) -> Proof:
        proof = await expected.check_ticket(claim.ticket, claim.payload)
        if proof.uid is not None and proof.uid != expected.uid:
            raise Refused("The ticket is another person's.", where=f"job {claim.job}")
        if proof.payload is not None and proof.payload != claim.payload:
            raise Refused("The ticket was made for another claim.", where=f"job {claim.job}")
        if claim.ticket.value in expected.shown or len(expected.shown) >= MOST_SHOWN:
            raise Refused("This ticket was shown before: each is good for once.", where=f"job {claim.job}")
        expected.shown.add(claim.ticket.value)
        return proof


def check_job(expected: Expectation, claim: Claim | Ready, job: Job | None) -> str:
    """The scheduler's name of the node, if it says that this job is this session's and runs there.

    Raises Refused and Later.
    """
    if job is None or job.state in (JobState.QUEUED, JobState.UNKNOWN):
        raise Later("The scheduler does not show this job as running yet.", where=f"job {claim.job}")
    if job.tag != expected.tag or job.person != expected.person:
        raise Refused("The scheduler says that this job is not this session's.", where=f"job {claim.job}")
    if claim.restart > job.restarts:
        # It was requeued while the queue could not be seen: of this run nothing is known yet.
        raise Later("The scheduler does not show this run of the job yet.", where=f"job {claim.job}")
    if not job.state.is_live:
        raise Refused("The scheduler says that this job has ended.", where=f"job {claim.job}")
    if claim.restart < job.restarts:
        raise Refused("The scheduler has restarted this job since.", where=f"job {claim.job}")
    nodes = {node.partition(".")[0]: node for node in job.nodes}
    if claim.node.partition(".")[0] not in nodes:
        raise Refused(
            f"The scheduler has this job on {', '.join(sorted(nodes))}, not on {claim.node!r:.80}.",
            where=f"job {claim.job}",
        )
    return nodes[claim.node.partition(".")[0]]
