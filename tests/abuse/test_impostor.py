"""Somebody answers in a session's place, and the proxy does not tell them a word.

The real proxy, started as `clusterhub up` starts it, on loopback. Without ``proxy/verified.mjs`` it would
check a certificate against the Host header, which the browser, or whoever is in its place, writes.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tornado import httpserver, web, websocket

from clusterhub.hub.configure import proxy_socket
from clusterhub.hub.demo import free_port
from clusterhub.hub.supervise import proxy_role
from clusterhub.session.certificate import Certificate
from clusterhub.site.loading import parse
from clusterhub.site.schema import Site
from clusterhub.spawner.certificates import Certificates
from clusterhub.tls.authority import CLIENT, SERVER, Authority, Identity
from clusterhub.tls.names import session_name

TAG = "clusterhub:hub:alice:"
NAME = session_name(TAG, "17", 1, "127.0.0.1")
FORMER_RUN = session_name(TAG, "17", 0, "127.0.0.1")
OF_MALLORY = session_name("clusterhub:hub:mallory:", "18", 0, "127.0.0.1")
SECRET = "the-cookie-of-alice"
HEADERS = {"Cookie": f"session={SECRET}", "Authorization": f"token {SECRET}"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    directory = tmp_path_factory.mktemp("site")
    text = f"""
[hub]
url = "http://127.0.0.1:{free_port()}"
internal_url = "https://127.0.0.1:{free_port()}"
state_directory = "{directory}"
[login]
method = "one-person"
[cluster.here]
scheduler = "local"
[environment]
path = "/opt/environments/current"
[[profile]]
name = "small"
"""
    return parse(text, directory / "site.toml")


@pytest.fixture(scope="module")
def certificates(site: Site) -> Certificates:
    made = Certificates.of(site)
    assert made is not None
    made.ensure()
    return made


@dataclass(frozen=True)
class Proxy:
    """The running proxy."""

    site: Site
    certificates: Certificates
    log: Path

    async def route(self, path: str, name: str, port: int) -> None:
        """As JupyterHub tells it."""
        token = proxy_role(self.site).environment["CONFIGPROXY_AUTH_TOKEN"]
        connector = aiohttp.UnixConnector(str(proxy_socket(self.site)))
        async with aiohttp.ClientSession(connector=connector) as api:
            body = {"target": f"https://{name}:{port}"}
            headers = {"Authorization": f"token {token}"}
            async with api.post(f"http://proxy/api/routes{path}", json=body, headers=headers) as answer:
                assert answer.status == 201

    async def ask(self, path: str, **headers: str) -> int:
        """The status of what a browser with alice's cookie is told there."""
        url = f"{self.site.hub.bind}{path}"
        async with (
            aiohttp.ClientSession() as http,
            http.get(url, headers={**HEADERS, **headers}) as answer,
        ):
            await answer.read()
            return answer.status


@pytest.fixture(scope="module")
def proxy(
    site: Site, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    role = proxy_role(site)
    log = tmp_path_factory.mktemp("proxy") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(role.argv), env=dict(role.environment), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        while not proxy_socket(site).exists():
            assert process.poll() is None, log.read_text()
            os.sched_yield()
        yield Proxy(site, certificates, log)
    finally:
        process.kill()
        process.wait()


@dataclass
class Impostor:
    """Notes every byte that it can read, in TLS with its own certificate where it has one."""

    identity: Identity | None
    directory: Path
    connections: int = 0
    read: bytes = b""
    raw: bool = False
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> asyncio.Server:
        """On a port of loopback."""
        context = None
        if self.identity is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            file = self.directory / "impostor.pem"
            file.write_text(self.identity.pem)
            context.load_cert_chain(file)
        return await asyncio.start_server(self._hear, "127.0.0.1", 0, ssl=context)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while heard := await asyncio.wait_for(reader.read(65536), 5):
                self.read += heard
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()


def impostors(certificates: Certificates) -> dict[str, Identity | None]:
    authority = certificates._authority
    return {
        "with a certificate of its own making": Authority.new().issue(NAME, SERVER),
        "with that of its own session": certificates.issue(OF_MALLORY),
        "with that of the run before": certificates.issue(FORMER_RUN),
        "with one for clients": authority.issue(NAME, CLIENT),
        "in plain HTTP": None,
    }


KINDS = (
    "with a certificate of its own making",
    "with that of its own session",
    "with that of the run before",
    "with one for clients",
    "in plain HTTP",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["", OF_MALLORY, NAME])
async def test_whoever_answers_in_a_sessions_place_is_told_nothing(
    proxy: Proxy, tmp_path: Path, kind: str, host: str
) -> None:
    impostor = Impostor(impostors(proxy.certificates)[kind], tmp_path)
    server = await impostor.listen()
    async with server:
        port = server.sockets[0].getsockname()[1]
        await proxy.route("/user/alice", NAME, port)
        assert await proxy.ask("/user/alice/lab", **({"Host": host} if host else {})) == 503
    assert SECRET.encode() not in impostor.read
    assert b"alice/lab" not in impostor.read
    assert SECRET not in proxy.log.read_text()


class Page(web.RequestHandler):
    def get(self) -> None:
        self.write("hello " + self.request.headers.get("Cookie", ""))


class Echo(websocket.WebSocketHandler):
    def on_message(self, message: Any) -> None:
        self.write_message(message)


async def test_the_session_itself_is_reached_and_its_websockets_too(
    proxy: Proxy, certificates: Certificates, tmp_path: Path
) -> None:
    identity = certificates.issue(NAME)
    told = {"name": identity.name, "key": identity.key, "certificate": identity.certificate}
    context = Certificate(told, certificates.authority, str(tmp_path)).context()
    application = web.Application([("/user/alice/lab", Page), ("/user/alice/channels", Echo)])
    server = httpserver.HTTPServer(application, ssl_options=context)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        server.add_socket(listener)
        await proxy.route("/user/alice", NAME, listener.getsockname()[1])
        for _ in range(3):  # the later ones on a connection, or with a session of TLS, that is there already
            assert await proxy.ask("/user/alice/lab", Host="jupyter.example.org") == 200
        url = f"{proxy.site.hub.bind}/user/alice/channels"
        async with aiohttp.ClientSession() as http, http.ws_connect(url, headers=HEADERS) as channel:
            for number in range(3):
                await channel.send_json({"number": number})
                assert json.loads(await channel.receive_str()) == {"number": number}
        server.stop()
        await server.close_all_connections()


async def test_the_hub_itself_is_verified_as_well(proxy: Proxy, tmp_path: Path) -> None:
    """Somebody who listens on the hub's port while that is down hears no login."""
    port = int(proxy.site.hub.internal_url.rpartition(":")[2])
    impostor = Impostor(proxy.certificates.issue(OF_MALLORY), tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    file = tmp_path / "hub-impostor.pem"
    file.write_text(proxy.certificates.issue(OF_MALLORY).pem)
    context.load_cert_chain(file)
    async with await asyncio.start_server(impostor._hear, "127.0.0.1", port, ssl=context):
        assert await proxy.ask("/hub/login") == 503
    assert impostor.read == b""
