"""Whose process is at the other end of a connection within this machine: the kernel knows.

Asked through sock_diag(7), which answers for one connection, and needs no right to; /proc/net/tcp (proc(5))
lists all of them, which takes longer the more there are.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
from pathlib import Path

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
ANY_STATE = 0xFFFFFFFF
ANY_COOKIE = b"\xff" * 8

_HEADER = struct.Struct("=LHHLL")
_REQUEST = struct.Struct("=BBBxL")
_SOCKET = struct.Struct("!HH16s16s4x8s")
_UID = struct.Struct("=L")
_UID_AT = _HEADER.size + 4 + _SOCKET.size + 12
"""After the message's header, four bytes of state, the socket, and three numbers."""

ANSWER_SECONDS = 0.5

End = tuple[str, int]
"""Address and port."""


def is_ours(far: End, near: End) -> bool:
    """Whether root or our own account, such as our proxy, has the far end of a connection to our near end."""
    return uid_of(far, near) in (0, os.geteuid())


def uid_of(far: End, near: End) -> int | None:
    """The account of whoever has the far end; None where it is not on this machine, or closed already."""
    with contextlib.suppress(OSError):
        return _asked(far, near)
    with contextlib.suppress(OSError):
        return _listed(far, near)
    return None


def _asked(far: End, near: End) -> int | None:
    addresses = [ipaddress.ip_address(end[0]) for end in (far, near)]
    family = socket.AF_INET if addresses[0].version == 4 else socket.AF_INET6  # noqa: PLR2004 - IP's versions
    source, target = (address.packed.ljust(16, b"\0") for address in addresses)
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, ANY_STATE)
    body += _SOCKET.pack(far[1], near[1], source, target, ANY_COOKIE)
    head = _HEADER.pack(_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(ANSWER_SECONDS)
        kernel.sendto(head + body, (0, 0))
        answer = kernel.recv(4096)
    _, kind, *_ = _HEADER.unpack_from(answer)
    if kind != SOCK_DIAG_BY_FAMILY:  # an error: there is no such connection, or nobody to ask
        raise OSError("the kernel does not know this connection")
    uid: int = _UID.unpack_from(answer, _UID_AT)[0]
    return uid


def _listed(far: End, near: End) -> int | None:
    version = ipaddress.ip_address(far[0]).version
    table = Path("/proc/net/tcp" if version == 4 else "/proc/net/tcp6")  # noqa: PLR2004 - as above
    wanted = [_as_listed(far), _as_listed(near)]
    for line in table.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return int(fields[7])
    return None


def _as_listed(end: End) -> str:
    """Hexadecimal, each word of an address in the machine's own order."""
    packed = ipaddress.ip_address(end[0]).packed
    words = struct.unpack(f"={len(packed) // 4}L", packed)
    return "".join(f"{word:08X}" for word in words) + f":{end[1]:04X}"
