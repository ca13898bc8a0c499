"""The hub asks a session only what it has proved to be, and other hosts as JupyterHub does.

Without `SessionClient.fetch` the hub would look for the session's authority among the public ones, and with
a context that checks no names it would take an impostor's answer for "the session is up".
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from jupyterhub.httpclient import JupyterHubHTTPClient, fetch
from tornado import httpserver, web
from traitlets.config import Configurable

from clusterhub.hub.session_client import SessionClient
from clusterhub.session.certificate import Certificate
from clusterhub.spawner.certificates import Certificates
from clusterhub.tls.names import session_name

NAME = session_name("clusterhub:hub:alice:", "17", 0, "127.0.0.1")
OTHER = session_name("clusterhub:hub:mallory:", "18", 0, "127.0.0.1")


class Page(web.RequestHandler):
    def get(self) -> None:
        self.write("up")


@asynccontextmanager
async def serving(certificates: Certificates | None, directory: Path) -> AsyncIterator[int]:
    """A session of alice's, or plain HTTP, on the port that is given."""
    context = None
    if certificates is not None:
        identity = certificates.issue(NAME)
        told = {"name": identity.name, "key": identity.key, "certificate": identity.certificate}
        context = Certificate(told, certificates.authority, str(directory)).context()
    server = httpserver.HTTPServer(web.Application([("/", Page)]), ssl_options=context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        server.add_socket(listener)
        yield int(listener.getsockname()[1])
        server.stop()
        await server.close_all_connections()


async def test_a_session_is_known_by_its_name_and_others_are_asked_as_usual(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "tls", "gateway")
    certificates.ensure()
    SessionClient.put_up(certificates.to_sessions(), Configurable())
    try:
        async with serving(certificates, tmp_path) as port:
            assert await (await fetch(f"https://{NAME}:{port}/")).text() == "up"
            with pytest.raises(aiohttp.ClientConnectorCertificateError, match=r"Hostname mismatch|not valid"):
                await fetch(f"https://{OTHER}:{port}/")
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await fetch(f"https://127.0.0.1:{port}/")
        async with serving(None, tmp_path) as port:
            assert await (await fetch(f"http://127.0.0.1:{port}/")).text() == "up"
    finally:
        await JupyterHubHTTPClient.instance().close()
