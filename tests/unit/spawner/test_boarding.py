"""Only the job that the scheduler says is this person's, on this node, boards, and once."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterhub.schedulers.model import CommandResult, Job, JobState
from clusterhub.session import launcher
from clusterhub.session.launcher import VERSION
from clusterhub.spawner import tickets
from clusterhub.spawner.boarding import (
    Boarding,
    Claim,
    Expectation,
    Later,
    Ready,
    Refused,
    Ticket,
    parse_claim,
)
from clusterhub.spawner.newest_first import NewestFirst, Overtaken
from clusterhub.spawner.places import Elsewhere
from clusterhub.spawner.tickets import Proof, TicketRefused

from .claims import CLAIM, TAG

RUNNING = Job("17", JobState.RUNNING, tag=TAG, person="alice", nodes=("n1",))
PROOF = Proof(uid=1001, address="10.77.0.11", payload=parse_claim(CLAIM).payload)


class Session:
    """An expected session, with what scheduler and ticket say of it."""

    def __init__(self, job: Job | None = RUNNING, proof: Proof = PROOF) -> None:
        self.job, self.proof = job, proof
        self.vouches = False
        """Whether the ticket vouches for whatever is claimed, as that of an honest job does."""
        self.tries = 0
        self.boarded: list[Claim] = []
        self.readies: list[Ready] = []
        self.boarding = Boarding()
        self.expectation = Expectation(
            TAG,
            "alice",
            1001,
            find_job=self.find,
            check_ticket=self.check,
            board=self.board,
            owns_token=lambda token: token == "token",
            ready=self.readies.append,
        )
        self.boarding.expect(self.expectation)

    async def find(self, job_id: str) -> Job | None:
        return self.job if job_id == "17" else None

    async def check(self, ticket: Ticket, payload: str) -> Proof:
        if not ticket.value.startswith("MUNGE"):
            raise TicketRefused("no")
        return replace(self.proof, payload=payload) if self.vouches else self.proof

    async def board(self, claim: Claim) -> Mapping[str, Any]:
        self.boarded.append(claim)
        return {"environment": {"JUPYTERHUB_API_TOKEN": "token"}}

    async def claim(self, peer: str = "10.77.0.11", **changes: object) -> Mapping[str, Any]:
        """With a ticket of its own, as each try has."""
        self.tries += 1
        ticket = {"kind": "munge", "value": f"MUNGE:{self.tries}:"}
        return await self.boarding.claim({**CLAIM, "ticket": ticket, **changes}, peer)


async def test_the_expected_job_boards_and_gets_its_token() -> None:
    session = Session()
    assert await session.claim() == {"environment": {"JUPYTERHUB_API_TOKEN": "token"}}
    assert session.boarded[0].port == 30001


async def test_a_reply_that_was_lost_may_be_asked_for_again_but_by_nobody_else() -> None:
    session = Session()
    await session.claim()
    await session.claim()
    session.vouches = True
    with pytest.raises(Refused, match="boarded already"):
        await session.claim(claim="another")


async def test_a_ticket_that_somebody_has_seen_is_worth_nothing() -> None:
    """Without the tickets that were shown, who overheard a claim would get its answer, too."""
    session = Session()
    await session.claim(ticket=CLAIM["ticket"])
    with pytest.raises(Refused, match="shown before"):
        await session.claim(ticket=CLAIM["ticket"])
    assert len(session.boarded) == 1


async def test_a_session_that_serves_has_had_its_answer() -> None:
    session = Session()
    await session.claim()
    await session.boarding.ready(READY, "token", "10.77.0.11")
    with pytest.raises(Refused, match="boarded already"):
        await session.claim()


async def test_a_run_that_the_scheduler_does_not_know_is_asked_to_come_again() -> None:
    """Or who has one ticket would have as many boardings as there are numbers."""
    session = Session()
    session.vouches = True
    with pytest.raises(Later):
        await session.claim(restart=1)
    assert not session.boarded


async def test_a_job_that_is_over_boards_nowhere_and_others_of_its_session_may_turn_up() -> None:
    session = Session()
    session.boarding.forget(TAG, over="17")
    with pytest.raises(Refused, match="has ended, or its start was given up"):
        await session.claim()
    with pytest.raises(Later):
        await session.claim(job="18")
    session.boarding.expect(session.expectation)  # the scheduler has taken it up again
    await session.claim()


async def test_a_requeued_job_boards_anew() -> None:
    session = Session()
    await session.claim()
    session.job = replace(RUNNING, restarts=1)
    session.vouches = True
    await session.claim(restart=1, claim="new")
    assert len(session.boarded) == 2


@pytest.mark.parametrize("job", [replace(RUNNING, nodes=("n2",)), replace(RUNNING, state=JobState.ENDING)])
async def test_a_run_that_the_last_look_did_not_show_is_asked_to_come_again(job: Job) -> None:
    """A look from before the requeue speaks of another run: by it the new one would be sent away for good."""
    payload = parse_claim({**CLAIM, "restart": 1}).payload
    session = Session(job, replace(PROOF, payload=payload))
    with pytest.raises(Later):
        await session.claim(restart=1)
    session.job = replace(RUNNING, restarts=1)
    await session.claim(restart=1)
    assert len(session.boarded) == 1


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.UNKNOWN])
async def test_a_job_that_is_not_seen_running_is_asked_to_come_again(state: JobState) -> None:
    with pytest.raises(Later):
        await Session(replace(RUNNING, state=state)).claim()


async def test_a_job_or_session_that_is_not_known_yet_is_asked_to_come_again() -> None:
    with pytest.raises(Later):
        await Session(None).claim()
    with pytest.raises(Later):
        await Session().claim(tag="clusterhub:hub:bob:")


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (replace(RUNNING, person="bob"), "not this session's"),
        (replace(RUNNING, tag="clusterhub:hub:bob:"), "not this session's"),
        (replace(RUNNING, tag=""), "not this session's"),
        (replace(RUNNING, nodes=("n2",)), "on n2"),
        (replace(RUNNING, restarts=1), "restarted"),
        (replace(RUNNING, state=JobState.ENDED), "ended"),
        (replace(RUNNING, state=JobState.ENDING), "ended"),
    ],
)
async def test_a_job_that_the_scheduler_knows_otherwise_is_refused(job: Job, said: str) -> None:
    session = Session(job)
    with pytest.raises(Refused, match=said):
        await session.claim()
    assert not session.boarded


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        (replace(PROOF, uid=1002), "another person's"),
        (replace(PROOF, payload="{}"), "another claim"),
    ],
)
async def test_a_ticket_that_vouches_for_something_else_is_refused(proof: Proof, said: str) -> None:
    session = Session(proof=proof)
    with pytest.raises(Refused, match=said):
        await session.claim()
    assert not session.boarded


async def test_an_address_of_elsewhere_is_refused() -> None:
    session = Session(proof=replace(PROOF, payload=None, address="10.77.0.12"))
    with pytest.raises(Elsewhere, match="not an address of node"):
        await session.claim(address="10.99.0.1")
    await session.claim()


@pytest.fixture
def name_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub knows the addresses of two nodes, and of this machine by the name ``here``."""
    known = {"n1": "10.77.0.11", "n2": "10.77.0.12", "here": "127.0.1.1"}

    async def addresses_of(node: str) -> frozenset[str]:
        return frozenset({known[node]})

    monkeypatch.setattr("clusterhub.spawner.places.addresses_of", addresses_of)


N1, N2, OTHER_NETWORK = "10.77.0.11", "10.77.0.12", "192.168.7.11"


@pytest.mark.usefixtures("name_service")
@pytest.mark.parametrize(
    ("munge", "peer", "address", "is_there"),
    [
        (N1, N1, N1, True),
        # It was shown on another node, whatever it says of itself.
        (N2, N2, N1, False),
        (N2, N2, N2, False),
        (None, N2, N1, False),
        ("127.0.1.1", N2, N1, False),
        # Munge has its word for the node's own name; the hub sees another network, or a gateway between.
        ("127.0.1.1", N1, N1, True),
        (N1, OTHER_NETWORK, N1, True),
        (N1, OTHER_NETWORK, OTHER_NETWORK, True),
        (OTHER_NETWORK, N1, OTHER_NETWORK, True),
        (None, N1, N1, True),
        (N1, N1, OTHER_NETWORK, False),
        # Neither says that it is the node: an operator names the network.
        (None, OTHER_NETWORK, OTHER_NETWORK, False),
    ],
)
async def test_a_ticket_is_good_on_the_node_only_that_the_scheduler_names(
    munge: str | None, peer: str, address: str, is_there: bool
) -> None:
    """Without the look at who showed it, the tickets of another node pass."""
    session = Session(proof=replace(PROOF, address=munge))
    session.vouches = True
    if is_there:
        await session.claim(peer, address=address)
        return
    with pytest.raises(Elsewhere):
        await session.claim(peer, address=address)
    assert not session.boarded


@pytest.mark.usefixtures("name_service")
async def test_a_node_on_the_hubs_own_machine_may_go_by_any_of_its_addresses() -> None:
    session = Session(replace(RUNNING, nodes=("here",)), replace(PROOF, address=None))
    session.vouches = True
    session.expectation.any_address = False
    with pytest.raises(Elsewhere, match="can be reached"):  # and not: was shown elsewhere
        await session.claim("127.0.0.1", node="here", address="127.0.1.1")


@pytest.mark.parametrize(
    "changes",
    [
        {"version": VERSION + 1},
        {"version": True},
        {"port": 0},
        {"port": 65536},
        {"port": "30001"},
        {"restart": -1},
        {"restart": 10**4000},
        {"claim": "é"},
        {"claim": "\ud800"},
        {"node": "n1\n"},
        {"job": "1" * 600},  # it would be said again in the log, by whoever likes
        {"tag": "clusterhub:hub:\u00e9:"},
        {"ticket": {"kind": "munge", "value": "MUNGE:\ud800:"}},
        {"version": [[[]]]},
        {"\ud800": 1},
        {"address": "evil.example.org"},
        {"address": "0.0.0.0"},  # noqa: S104 - not bound to
        {"address": "224.0.0.1"},
        {"address": "::ffff:0.0.0.0"},
        {"address": "fd00::1%@elsewhere"},
        {"node": None},
        {"node": "n" * 9000},
        {"ticket": "MUNGE"},
        {"ticket": {"kind": "munge"}},
        {"ticket": {"kind": "munge", "value": "MUNGE", "more": 1}},
        {"more": 1},
    ],
)
async def test_a_claim_has_exactly_the_documented_fields(changes: dict[str, object]) -> None:
    with pytest.raises(Refused):
        await Session().claim(**changes)


@pytest.mark.parametrize("claim", ["é", "\ud800", "ÿ" * 6])
async def test_a_second_claim_is_refused_whatever_its_characters(claim: str) -> None:
    session = Session(proof=replace(PROOF, payload=None))
    await session.claim()
    with pytest.raises(Refused, match="ASCII"):
        await session.claim(claim=claim)


@pytest.mark.parametrize("name", ["n1..x", "n1." + "x" * 100])
async def test_a_name_that_cannot_be_resolved_is_refused(name: str) -> None:
    session = Session(replace(RUNNING, nodes=(name,)), proof=Proof(uid=1001))
    with pytest.raises(Elsewhere, match="not an address of node"):
        await session.claim(address="10.99.0.1")


async def test_the_node_is_looked_up_by_the_schedulers_name_not_the_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def getaddrinfo(host: str, port: int, **_more: object) -> list[Any]:
        return [(0, 0, 0, "", ("10.99.0.1" if host == "n1.elsewhere.example" else "10.77.0.11", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    session = Session()
    session.vouches = True
    with pytest.raises(Elsewhere, match="not an address of node 'n1'"):
        await session.claim("10.88.0.1", node="n1.elsewhere.example", address="10.99.0.1")
    await session.claim("10.88.0.1", node="n1.elsewhere.example")


HERE = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1"]


@pytest.mark.parametrize("any_address", [False, True])
@pytest.mark.parametrize("address", HERE)
async def test_a_job_elsewhere_announces_no_address_of_this_machine(address: str, any_address: bool) -> None:
    session = Session(proof=Proof(uid=1001, address=address))
    session.expectation.any_address = any_address
    with pytest.raises(Elsewhere, match="can be reached"):
        await session.claim(address, address=address)
    with pytest.raises(Elsewhere, match="can be reached"):
        await session.boarding.ready({**READY, "address": address}, "token", address)
    assert not session.boarded
    assert not session.readies


async def test_a_job_on_this_machine_announces_only_an_address_of_this_machine() -> None:
    session = Session(proof=Proof(uid=1001))
    session.expectation.local = True
    await session.claim("127.0.0.1", address="127.0.0.1")
    await session.boarding.ready({**READY, "address": "127.0.0.1"}, "token", "127.0.0.1")
    for any_address in (False, True):
        session.expectation.any_address = any_address
        for peer, address in (("192.0.2.1", "192.0.2.1"), ("192.0.2.1", "127.0.0.1")):
            with pytest.raises(Elsewhere, match="not an address of this machine"):
                await session.claim(peer, address=address)


async def test_only_a_few_tickets_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0

    async def unmunge(*_argv: object, **_more: object) -> CommandResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return CommandResult(0, UNMUNGED, "")

    monkeypatch.setattr("clusterhub.schedulers.command.run", unmunge)
    proofs = await asyncio.gather(*(tickets.check_munge_ticket("MUNGE") for _ in range(50)))
    assert {proof.uid for proof in proofs} == {1001}
    assert most == tickets.MOST_UNMUNGES


async def test_who_comes_behind_a_flood_does_not_wait_for_it() -> None:
    """In order of arrival, the last of these would be served last, and with a bound not at all."""
    gate, served = NewestFirst(at_once=2, waiting=10), list[int]()

    async def ask(number: int) -> None:
        async with gate.turn():
            await asyncio.sleep(0)
            served.append(number)

    asked = [asyncio.create_task(ask(number)) for number in range(100)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert served[:4] == [0, 1, 99, 98]
    assert sorted(served) == [0, 1, *range(90, 100)]
    assert sum(isinstance(outcome, Overtaken) for outcome in outcomes) == 88
    # All places are free again, also those of who went away while they waited or had just been let in.
    async with gate.turn(), gate.turn():
        waiting = [asyncio.create_task(ask(number)) for number in (200, 201)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with gate.turn(), gate.turn():
        pass


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from([*CLAIM, "kind", "value"]), inner, max_size=10)
        ),
        max_leaves=20,
    )
)
def test_anything_else_is_refused_and_never_an_error_of_ours(body: object) -> None:
    with pytest.raises(Refused):
        parse_claim(body)


READY = {key: value for key, value in CLAIM.items() if key not in ("claim", "ticket")}


async def test_a_session_that_shows_its_token_is_ready() -> None:
    session = Session()
    await session.boarding.ready(READY, "token", "10.77.0.11")
    assert [ready.port for ready in session.readies] == [30001]


@pytest.mark.parametrize(
    ("changes", "token", "job"),
    [
        ({}, "another", RUNNING),
        ({}, "", RUNNING),
        ({"more": 1}, "token", RUNNING),
        ({}, "token", replace(RUNNING, person="bob")),
        ({}, "token", replace(RUNNING, nodes=("n2",))),
        ({}, "token", replace(RUNNING, state=JobState.ENDED)),
    ],
)
async def test_nothing_else_makes_it_ready(changes: dict[str, object], token: str, job: Job) -> None:
    session = Session(job)
    with pytest.raises(Refused):
        await session.boarding.ready({**READY, **changes}, token, "10.77.0.11")
    assert not session.readies


async def test_a_session_that_serves_elsewhere_does_not() -> None:
    session = Session()
    with pytest.raises(Elsewhere):
        await session.boarding.ready({**READY, "address": "10.99.0.1"}, "token", "10.77.0.11")
    assert not session.readies


def test_a_file_ticket_is_good_for_its_own_session_claim_and_job_only(tmp_path: Path) -> None:
    key = bytes(range(32))
    secret = tickets.file_secret(key, TAG)
    file = tmp_path / "ticket"
    file.write_text(secret)
    ticket = launcher.ticket({"kind": "file", "path": str(file)}, "payload")
    assert tickets.check_file_ticket(key, TAG, ticket, "payload") == Proof(payload="payload")
    assert tickets.check_file_ticket(key, TAG, ticket, "payload", secret)
    # What goes over the network is another one each time, and not the secret.
    assert ticket != launcher.ticket({"kind": "file", "path": str(file)}, "payload")
    assert secret.partition(".")[2] not in ticket
    for wrong in ("", ".", "..", "x", ticket[:-1], ticket + "0", "é" + ticket, secret, secret + "."):
        with pytest.raises(TicketRefused):
            tickets.check_file_ticket(key, TAG, wrong, "payload")
    with pytest.raises(TicketRefused):
        tickets.check_file_ticket(key, "clusterhub:hub:bob:", ticket, "payload")
    with pytest.raises(TicketRefused):
        tickets.check_file_ticket(bytes(32), TAG, ticket, "payload")
    with pytest.raises(TicketRefused):
        tickets.check_file_ticket(key, TAG, ticket, "another payload")
    with pytest.raises(TicketRefused, match="earlier job"):
        tickets.check_file_ticket(key, TAG, ticket, "payload", tickets.file_secret(key, TAG))


# Printed by unmunge of munge 0.5.15.
UNMUNGED = """\
STATUS:          Success (0)
ENCODE_HOST:     n1 (10.77.0.11)
ENCODE_TIME:     2026-11-23 05:20:00 +0000 (1795411200)
DECODE_TIME:     2026-11-23 05:20:01 +0000 (1795411201)
TTL:             300
CIPHER:          aes128 (4)
MAC:             sha256 (5)
ZIP:             none (0)
UID:             alice (1001)
GID:             alice (1001)
UID_RESTRICTION: root (0)
LENGTH:          7

payload
"""


def test_unmunge_vouches_for_uid_host_and_payload() -> None:
    assert tickets.parse_unmunge(CommandResult(0, UNMUNGED, "")) == Proof(1001, "10.77.0.11", "payload")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (17, "STATUS:          Replayed credential (17)\nUID: alice (1001)\n\npayload\n"),
        (15, "STATUS:          Expired credential (15)\n\n"),
        (0, ""),
        (0, "STATUS: Success (0)\n\nUID: root (0)\n"),
        (1, UNMUNGED),
        (None, UNMUNGED),
    ],
)
def test_any_other_answer_of_unmunge_proves_nothing(code: int | None, text: str) -> None:
    with pytest.raises(TicketRefused):
        tickets.parse_unmunge(CommandResult(code, text, "", problem="cut off" if code is None else ""))


@pytest.mark.parametrize("status", ["Expired credential (15)", "Rewound credential (16)"])
def test_a_credential_of_another_time_is_said_to_be_a_matter_of_clocks(status: str) -> None:
    text = UNMUNGED.replace("Success (0)", status)
    with pytest.raises(TicketRefused, match="clocks of the node and of the hub") as refused:
        tickets.parse_unmunge(CommandResult(int(status[-3:-1]), text, ""))
    where = refused.value.explanation.where
    assert "by the node's clock" in where
    assert "by the hub's" in where
