"""Under which name a session is reached: unique to one run of its job, with its node's address inside.

The name stands in the session's certificate and in the URL that hub and proxy have of it, so that the
ordinary check of a certificate's name finds whoever else answers at that address. No name server knows it:
hub and proxy (``hub/proxy/verified.mjs``) read the address out of the name.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re

SUFFIX = ".session.clusterhub.alt"
"""`.alt` is for names outside of the DNS (RFC 9476): nobody can own this one."""

_RUN_LENGTH = 32
"""Hexadecimal digits: 128 bits."""

_NAME = re.compile(rf"[0-9a-f]{{{_RUN_LENGTH}}}\.([0-9a-f]{{1,4}}(?:-[0-9a-f]{{1,4}})+){re.escape(SUFFIX)}")


def session_name(tag: str, job: str, restart: int, address: str) -> str:
    """The name of one run of a session's job at that IP address. Raises ValueError where it is none."""
    run = hashlib.sha256(f"{tag}\n{job}\n{restart}".encode()).hexdigest()[:_RUN_LENGTH]
    exploded = ipaddress.ip_address(address).exploded
    return f"{run}.{re.sub('[.:]', '-', exploded)}{SUFFIX}"


def address_in(name: str) -> str | None:
    """The IP address in a session's name; None for every other name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    separator = "." if found[1].count("-") == 3 else ":"  # noqa: PLR2004 - IPv4 has four parts
    try:
        return str(ipaddress.ip_address(found[1].replace("-", separator)))
    except ValueError:
        return None
