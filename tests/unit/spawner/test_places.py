"""A session serves on the node only that the scheduler names, and nowhere on the hub's own machine."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from clusterhub.spawner.places import Elsewhere
from clusterhub.spawner.tickets import Proof

from .expected_session import PROOF, READY, RUNNING, Session

N1, N2, OTHER_NETWORK = "10.77.0.11", "10.77.0.12", "192.168.7.11"
HERE = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1"]


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


async def test_a_session_that_serves_elsewhere_does_not() -> None:
    session = Session()
    with pytest.raises(Elsewhere):
        await session.boarding.ready({**READY, "address": "10.99.0.1"}, "token", "10.77.0.11")
    assert not session.readies
