"""Where a job is: what it says of its node and address must be true of the node that the scheduler names."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection

from clusterhub.errors import ClusterhubError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

INTERFACE = "[sessions] interface"
"""Where an operator names the network of the sessions, after which addresses are taken as jobs say them."""


class Elsewhere(ClusterhubError):
    """What a job says was said on, or is of, another machine than its node."""


async def addresses_of(node: str) -> frozenset[str]:
    """Those of the scheduler's name of a node; none where the hub cannot resolve it."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(node, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter for what cannot be a host name
        return frozenset()
    return frozenset(str(info[4][0]) for info in found)


def check_made_there(node: str, known: Collection[str], witnesses: Collection[str | None], job: str) -> None:
    """Raises Elsewhere unless one of the witnesses is an address of the node.

    ``known`` are the node's addresses; where there are none nobody can tell. ``witnesses`` are what munge
    says of the host where the ticket was made, and where the connection came from: the first is loopback on a
    node whose own name is, the second another network's on a node with several.
    """
    seen = {address for address in witnesses if address}
    # A machine's addresses are all one to itself: it may know itself by loopback, and others by another.
    here = any(map(is_of_this_machine, known)) and any(map(is_of_this_machine, seen))
    if known and not here and seen.isdisjoint(known):
        raise Elsewhere(
            f"The ticket was shown on {' and '.join(sorted(seen))}, and the job's node {node!r:.80} is "
            f"{' or '.join(sorted(known))}.",
            where=f"job {job}",
            next="If hub and nodes know a node by addresses of different networks, the operator names the "
            f"one to use: {INTERFACE}.",
        )


def check_is_of_this_machine(address: str, job: str) -> None:
    """Raises Elsewhere for an address of another machine, where this one is the cluster."""
    if not is_of_this_machine(address):
        raise Elsewhere(
            f"{address} is not an address of this machine, which is the cluster.", where=f"job {job}"
        )


def check_reachable(address: Address, job: str) -> None:
    """Raises Elsewhere for an address of the hub's own machine, unless that is where the sessions are.

    On loopback, and on the link, listen services that trust whoever reaches them, the hub's among them.
    """
    if address.is_loopback or address.is_link_local:
        raise Elsewhere(
            f"{address} is not an address at which a node can be reached.",
            where=f"job {job}",
            next="The operator names an address or interface that hub and nodes share: [hub] internal_url, "
            f"{INTERFACE}.",
        )


def check_is_nodes(
    address: str, node: str, known: Collection[str], seen: Collection[str | None], job: str
) -> None:
    """Raises Elsewhere unless the address is the node's: by its name, by munge's word, or as we see it.

    ``node`` is the scheduler's name of it; in the domain that a job names could be anybody's addresses.
    """
    if address not in known and address not in seen:
        raise Elsewhere(
            f"{address} is not an address of node {node!r:.80}.",
            where=f"job {job}",
            next=f"If nodes have several networks, the operator names the one to use: {INTERFACE}.",
        )


def is_of_this_machine(address: str) -> bool:
    """Whether it is one of ours, loopback included."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if found.is_loopback:
        return True
    family = socket.AF_INET if found.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IP's versions
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(found), 0))  # the kernel knows its own
        except OSError:
            return False
    return True
