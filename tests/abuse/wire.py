"""What goes over the gateway's network, captured there and put together again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.real_cluster import RealCluster
from tests.real_cluster.layout import HUB_PORT

CAPTURE = """
import ctypes, os, select, socket, struct, sys
ETH_P_ALL, SOL_PACKET, PACKET_STATISTICS, SO_ATTACH_FILTER, SO_RCVBUFFORCE = 3, 263, 6, 26, 33
front = int(sys.argv[2])
program = [
    (0x28, 0, 0, 12), (0x15, 0, 7, 0x0800),  # IPv4
    (0x30, 0, 0, 23), (0x15, 0, 5, 6),  # TCP
    (0xB1, 0, 0, 14), (0x48, 0, 0, 14), (0x15, 2, 0, front), (0x48, 0, 0, 16), (0x15, 0, 1, front),
    (0x06, 0, 0, 0), (0x06, 0, 0, 1 << 18),
]
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
os.nice(-20)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
wire.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(text)))
wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 512 << 20)
with open(sys.argv[1], "wb") as out:
    print("listening", flush=True)
    while True:
        ready, _, _ = select.select([wire, sys.stdin], [], [])
        if wire not in ready:
            break
        frame = wire.recv(1 << 18)
        out.write(struct.pack("!I", len(frame)) + frame)
print("missed", struct.unpack("II", wire.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1])
"""
"""Every TCP segment of every interface, loopback too, but those of the proxy's own port (packet(7))."""

IPV4 = 0x0800
TCP = 6
SYN = 0x02

TLS_TYPES = range(20, 25)
LONGEST_RECORD = 16384 + 256
"""Bytes of a record's content (RFC 8446, 5.2; 2048 beyond in TLS 1.2, which nothing here uses in full)."""


@dataclass
class Stream:
    """One direction of one connection."""

    begin: int | None = None
    """The number of its first byte; None where the connection is older than the capture."""
    parts: dict[int, bytes] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """All of it in its order. Where the beginning is not known, what there is in the order of arrival."""
        if self.begin is None:
            return b"".join(self.parts.values())
        content = bytearray()
        numbered = {(number - self.begin) % 2**32: part for number, part in self.parts.items()}
        for place, part in sorted(numbered.items()):
            assert place <= len(content), f"{place - len(content)} bytes of a connection were not captured"
            content += part[len(content) - place :]
        return bytes(content)


Ends = tuple[str, int, str, int]
"""Address and port of who sends and of who receives."""


@contextmanager
def capture(cluster: RealCluster, file: Path) -> Iterator[None]:
    """While this holds what goes over the gateway's interfaces is written down; not what browsers say."""
    process = cluster.popen("gateway", ["/usr/bin/python3", "-c", CAPTURE, str(file), str(HUB_PORT)])
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    try:
        yield
    finally:
        missed, _ = process.communicate("")
    assert missed.startswith("missed"), missed  # what is missed matters where it leaves a gap: see `Stream`


def streams(file: Path) -> dict[Ends, Stream]:
    """The TCP connections of a capture, each direction by itself."""
    found: dict[Ends, Stream] = {}
    with file.open("rb") as frames:
        while size := frames.read(4):
            frame = frames.read(struct.unpack("!I", size)[0])
            if len(frame) < 34 or struct.unpack("!H", frame[12:14])[0] != IPV4 or frame[23] != TCP:
                continue  # from before the filter was there
            packet = frame[14:]
            packet = packet[: struct.unpack("!H", packet[2:4])[0]]
            source, target = (".".join(map(str, packet[at : at + 4])) for at in (12, 16))
            segment = packet[(packet[0] & 15) * 4 :]
            sender, receiver, number = struct.unpack("!HHI", segment[:8])
            payload = segment[(segment[12] >> 4) * 4 :]
            ends = (source, sender, target, receiver)
            if segment[13] & SYN:
                found[ends] = Stream((number + 1) % 2**32)
            elif payload:
                parts = found.setdefault(ends, Stream()).parts
                parts[number] = max(payload, parts.get(number, b""), key=len)
    return found


def is_tls(content: bytes) -> bool:
    """Whether that is one record of TLS after the other, the last one perhaps cut off."""
    place = 0
    while place + 5 <= len(content):
        kind, major, minor, length = struct.unpack_from("!BBBH", content, place)
        if kind not in TLS_TYPES or major != 3 or minor > 4 or length > LONGEST_RECORD:
            return False
        place += 5 + length
    return True
