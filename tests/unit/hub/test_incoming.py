"""Nobody chooses the address that they are known by: not with a header, and not through a front server."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from clusterhub.hub import local_peers
from clusterhub.hub.incoming import client_address
from clusterhub.hub.local_peers import End

GATEWAY, NODE, PERSON, FORGED = "10.77.0.1", "10.77.0.11", "192.0.2.7", "203.0.113.1"
LOCAL = ("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    ("ends", "forwarded", "trusted", "address"),
    [
        # Through our proxy, which appends the address that it was asked from.
        (LOCAL, [PERSON], (), PERSON),
        (LOCAL, [f"{FORGED}, {PERSON}"], (), PERSON),
        (LOCAL, [FORGED, PERSON], (), PERSON),
        (LOCAL, [f"::ffff:{PERSON}"], (), PERSON),
        (("::1", "::1"), ["2001:DB8:0::7"], (), "2001:db8::7"),
        ((GATEWAY, GATEWAY), [f"{FORGED},{PERSON}"], (), PERSON),
        # A front server that is trusted, on this machine or another.
        (LOCAL, [f"{FORGED}, {PERSON}, 127.0.0.1"], ("127.0.0.1", "::1"), PERSON),
        (LOCAL, [f"{FORGED}, {PERSON}, 10.0.0.5"], ("10.0.0.5",), PERSON),
        # One that nobody said is to be trusted.
        (LOCAL, [f"{FORGED}, 10.0.0.5"], (), "10.0.0.5"),
        # Past the proxy, straight to the hub's port: only the connection counts.
        ((NODE, GATEWAY), [FORGED], (), NODE),
        ((NODE, GATEWAY), [FORGED], ("127.0.0.1",), NODE),
        # What is no address is not believed, and neither is what stands before it.
        (LOCAL, [f"{FORGED}, nonsense"], (), "127.0.0.1"),
        (LOCAL, [""], (), "127.0.0.1"),
        (LOCAL, [], (), "127.0.0.1"),
        (LOCAL, [f"{PERSON}, 127.0.0.1"], ("127.0.0.1",), PERSON),
    ],
)
def test_the_address_is_the_last_that_is_vouched_for(
    ends: tuple[str, str], forwarded: list[str], trusted: tuple[str, ...], address: str
) -> None:
    assert client_address(ends, forwarded, trusted) == address


@pytest.mark.parametrize("trusted", [(), ("127.0.0.1", "::1", GATEWAY)])
@pytest.mark.parametrize("here", ["127.0.0.1", "::1", GATEWAY])
def test_who_is_on_this_machine_and_not_the_proxy_is_believed_nothing(
    here: str, trusted: tuple[str, ...]
) -> None:
    """Also where a front server on this machine is trusted: that one asks the proxy."""
    assert client_address((here, here), [FORGED], trusted, is_proxy=False) == here


@pytest.mark.parametrize("look", [local_peers.uid_of, local_peers._asked, local_peers._listed])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernel_knows_whose_a_connection_is(host: str, look: Callable[[End, End], int | None]) -> None:
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        with socket.create_connection(server.getsockname()[:2]):
            ours, _ = server.accept()
            with ours:
                far, near = ours.getpeername()[:2], ours.getsockname()[:2]
                assert look(far, near) == os.geteuid()
                assert local_peers.is_ours(far, near)
        assert not local_peers.is_ours((host, 1), near)
