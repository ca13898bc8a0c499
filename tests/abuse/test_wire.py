"""TLS on the way between gateway and nodes: read along, knocked at, taken over, on the real cluster.

With ``tls = false`` in the site (and ``http`` in its internal_url) the first test reads the cell's text off
the wire. Without ``context.verify_mode`` in `clusterhub.session.certificate` the session answers other users
of the node. Without ``servername`` in ``proxy/verified.mjs`` no session is reached at all.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from tests import hub_site
from tests.abuse.wire import Ends, Stream, capture, is_tls, streams
from tests.fault.on_slurm import lying, until
from tests.hub_fixture import LiveHub

from clusterhub.hub.walkthrough import Walk
from clusterhub.tls.authority import SERVER, Authority
from clusterhub.tls.names import address_in

HUB_PORT = 8081
NODES = {"10.77.0.11": "n1", "10.77.0.12": "n2"}
WORD = "nobody-else-reads-this-word"
PROFILES = {"bob": {"profile": "first-node"}, "alice": {"profile": "interactive"}}

KNOCK = """
import os, socket, ssl, sys
address, port, speaks, pem = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.stdin.read()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
if pem:
    with open(os.memfd_create("own"), "w+") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
try:
    connection = socket.create_connection((address, port), timeout=10)
    if speaks == "TLS":
        connection = context.wrap_socket(connection)
    connection.sendall(b"GET /user/bob/api HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    answer = connection.recv(4096)
    print("answered" if b"HTTP/" in answer else "refused", answer)
except OSError as error:
    print("refused", error)
"""
"""Asks a session's port for what it tells anybody who logs in through the hub."""

IMPOSTOR = """
import os, socket, ssl, sys, time
port, pem = int(sys.argv[1]), sys.stdin.readline()
import base64
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
with open(os.memfd_create("own"), "w+") as file:
    file.write(base64.b64decode(pem).decode())
    file.flush()
    context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
print("waiting", flush=True)
while True:
    try:
        listener.bind(("", port))
        break
    except OSError:
        time.sleep(0.001)
listener.listen()
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.settimeout(5)
            print("heard", tls.recv(65536), flush=True)
    except OSError:
        print("heard b''", flush=True)
"""
"""Takes a port as soon as it is free, and prints what it can read of each connection."""


@dataclass(frozen=True)
class Visited:
    """Two sessions, and all that went over the network until now."""

    hub: LiveHub
    endpoints: dict[str, str]
    kernel: str
    wire: dict[Ends, Stream]

    def place(self, person: str) -> tuple[str, str, int]:
        """Node, address and port of a person's session."""
        parts = urlsplit(self.endpoints[person])
        address = address_in(parts.hostname or "") or ""
        return NODES[address], address, parts.port or 0

    @property
    def certificate_of_alice(self) -> str:
        """What alice would have, could she read the memory of her own session's server."""
        path = hub_site.AUTHORITY.with_suffix(".pem")
        name = urlsplit(self.endpoints["alice"]).hostname or ""
        return Authority.from_pem(path.read_text(), path).issue(name, SERVER).pem


def endpoint(hub: LiveHub, person: str) -> str:
    """Where the hub reaches that person's session."""
    return str(hub.servers(person)[""]["state"]["endpoint"])


async def first_visit(hub: LiveHub, person: str) -> str:
    async with Walk.begin(hub.url, person) as walk:
        await walk.log_in(hub.cluster.people[person].password)
        await walk.start(PROFILES[person])
        printed, kernel = await walk.run_cell(f"word = '{WORD}'; print(word)")
        assert printed.strip() == WORD
        return kernel


async def later_visit(hub: LiveHub, kernel: str) -> str:
    async with Walk.begin(hub.url, "bob") as walk:
        await walk.log_in(hub.cluster.people["bob"].password)
        return (await walk.run_cell("print(word)", kernel=kernel))[0].strip()


@pytest.fixture(scope="module")
def visited(live_hub: LiveHub) -> Iterator[Visited]:
    hub, file = live_hub, hub_site.DIRECTORY / "frames"  # which the gateway sees, too
    with capture(hub.cluster, file):
        hub.kill()  # so that no connection is older than the capture
        hub.start()
        kernels = {person: asyncio.run(first_visit(hub, person)) for person in PROFILES}
        endpoints = {person: endpoint(hub, person) for person in PROFILES}
        hub.kill()
        hub.start()
        assert asyncio.run(later_visit(hub, kernels["bob"])) == WORD
    yield Visited(hub, endpoints, kernels["bob"], streams(file))
    hub.end_sessions()


def test_all_that_goes_between_gateway_and_nodes_or_to_the_hubs_port_is_tls(visited: Visited) -> None:
    """While somebody logs in, starts a session and runs a cell, and the hub is killed and comes back."""
    for port in (HUB_PORT, *(visited.place(person)[2] for person in PROFILES)):
        for away in (1, 3):
            # Not counted: the hub's looks whether a node answers, which say nothing.
            said = [stream for ends, stream in visited.wire.items() if ends[away] == port and stream.parts]
            assert said, f"nothing was said {'to' if away == 3 else 'by'} port {port}"
            for stream in said:
                assert stream.begin is not None
                assert is_tls(stream.content), stream.content[:200]
    # Slurm's own connections are there as well, with the job's script, in which nothing is secret.
    for ends, stream in visited.wire.items():
        for word in (WORD.encode(), base64.b64encode(WORD.encode())):
            assert word not in stream.content, ends


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x16\x03\x01\x00\x02hi\x17\x03\x03\x00\x01x", True),
        (b"\x17\x03\x03\x40\x00cut off", True),
        (b"GET /user/bob/lab HTTP/1.1\r\n", False),
        (b"\x16\x03\x01\x00\x02hiGET / HTTP/1.1\r\n", False),
        (b"\x17\x03\x03\xff\xffx", False),
    ],
)
def test_what_is_no_tls_is_not_taken_for_it(content: bytes, told: bool) -> None:
    assert is_tls(content) is told


def test_after_the_hub_was_killed_the_session_is_there_under_the_same_name(visited: Visited) -> None:
    for person, before in visited.endpoints.items():
        assert before.startswith("https://")
        assert endpoint(visited.hub, person) == before


@pytest.mark.parametrize("how", ["plain HTTP", "TLS", "TLS with the certificate of their own session"])
def test_another_user_of_the_node_is_turned_away_from_a_sessions_port(visited: Visited, how: str) -> None:
    own = visited.certificate_of_alice if "own" in how else ""
    node, address, port = visited.place("bob")
    argv = ["/usr/bin/python3", "-c", KNOCK, address, str(port), how[:3]]
    knocked = visited.hub.cluster.run(node, argv, user="alice", input=own)
    assert knocked.stdout.startswith("refused"), knocked.stdout + knocked.stderr


async def test_whoever_takes_the_port_of_a_session_that_died_is_told_nothing(visited: Visited) -> None:
    hub, (node, _, port) = visited.hub, visited.place("bob")
    own = base64.b64encode(visited.certificate_of_alice.encode()).decode()
    argv = ["/usr/bin/python3", "-c", IMPOSTOR, str(port)]
    impostor = hub.cluster.popen(node, argv, user="alice")
    assert impostor.stdin is not None
    assert impostor.stdout is not None
    impostor.stdin.write(own + "\n")
    impostor.stdin.flush()
    assert impostor.stdout.readline() == "waiting\n"
    heard: list[str] = []

    async def visit_and_listen(walk: Walk) -> None:
        """Until the impostor has had visitors."""
        reading = asyncio.create_task(asyncio.to_thread(impostor.stdout.readline))  # type: ignore[union-attr]

        async def has_heard() -> bool:
            async with walk.http.get(f"{hub.url}/user/bob/lab") as answer:
                assert answer.status == 503
            return reading.done()

        await until(has_heard)
        heard.append(reading.result())

    try:
        async with Walk.begin(hub.url, "bob") as walk:
            await walk.log_in(hub.cluster.people["bob"].password)
            await walk.run_cell("1", kernel=visited.kernel)  # so that the browser has the session's cookie
            with lying("squeue", "error"):  # so that the hub does not hear at once that the job is over
                killed = hub.cluster.run(node, ["pkill", "-KILL", "-u", "bob", "-f", "/dev/fd/3"])
                assert killed.returncode == 0
                assert await asyncio.to_thread(impostor.stdout.readline) == "listening\n"
                await visit_and_listen(walk)
                await visit_and_listen(walk)
    finally:
        impostor.kill()
        impostor.communicate()
    assert set(heard) == {"heard b''\n"}
