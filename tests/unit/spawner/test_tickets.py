"""What a ticket vouches for, be it of munge or of a file; and whose turn it is to be looked at."""

import asyncio
from pathlib import Path

import pytest

from clusterhub.schedulers.model import CommandResult
from clusterhub.session import launcher
from clusterhub.spawner import tickets
from clusterhub.spawner.newest_first import NewestFirst, Overtaken
from clusterhub.spawner.tickets import Proof, TicketRefused

from .claims import TAG

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
