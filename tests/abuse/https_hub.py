"""A hub on the real cluster that speaks HTTPS with a certificate of the tests' own, and its attackers."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests import hub_site
from tests.browser.conftest import ARGUMENTS, CHROMIUM, SIZE
from tests.browser.person import Person
from tests.certificates import Authority
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster, processes
from tests.real_cluster.hub import give_to_read
from tests.real_cluster.layout import GATEWAY, N1

HOST = "hub.example.org"
ELSEWHERE = "https://evil.example.net"
REDIRECT_PORT = 8080
BOBS_PORT = 8765


@dataclass
class Front:
    """The hub, as browsers reach it."""

    live: LiveHub
    authority: Authority
    directory: Path
    """Where certificate and key are."""
    port: int

    @property
    def url(self) -> str:
        """What people type."""
        return f"https://{HOST}:{self.port}"

    def context(self) -> ssl.SSLContext:
        """Trusts the authority, and nothing else."""
        return ssl.create_default_context(cadata=self.authority.certificate.decode())

    def connect(self, host: str = HOST, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A connection to the proxy, whose certificate is checked."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return (context or self.context()).wrap_socket(plain, server_hostname=host)

    def ask(
        self, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, host: str = HOST
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request and its answer; no redirect is followed."""
        connection = http.client.HTTPConnection(host, self.port)
        connection.sock = self.connect(host)
        with contextlib.closing(connection):
            connection.request(method, path, headers={"Host": f"{host}:{self.port}", **(headers or {})})
            answer = connection.getresponse()
            return answer, answer.read()

    def route(self, person: str, address: str, port: int, *, subdomains: bool) -> None:
        """Part of what the person's session serves is served there: what it answers is up to its owner.

        A stand-in for a session whose owner has put a program of their own in its place: the proxy is told so
        through its socket, which only the hub's account can open.
        """
        where = f"/user/{person}/plot"
        spec = f"/{person}.{HOST}{where}" if subdomains else where
        connection = http.client.HTTPConnection("proxy")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(hub_site.STATE_DIRECTORY / "proxy.sock"))
        token = (hub_site.STATE_DIRECTORY / "proxy_token").read_text().strip()
        with contextlib.closing(connection):
            connection.request(
                "POST",
                f"/api/routes{spec}",
                json.dumps({"target": f"http://{address}:{port}"}),
                {"Authorization": f"token {token}"},
            )
            assert connection.getresponse().status == http.client.CREATED


@contextlib.contextmanager
def https_front(cluster: RealCluster, *, subdomains: bool) -> Iterator[Front]:
    """Starts the hub, and stops it in the end."""
    port = cluster.footprint().port
    hub_site.prepare()
    directory = hub_site.DIRECTORY / "tls"
    directory.mkdir(mode=0o700)
    authority = Authority()
    names = (HOST, f"*.{HOST}", "127.0.0.1")
    authority.write(directory, *names)
    (directory / "authority.pem").write_bytes(authority.certificate)
    for path in (directory, *directory.iterdir()):
        give_to_read(path)
    text = hub_site.text(port)
    plain = f'url = "http://127.0.0.1:{port}"\n'
    assert plain in text
    text = text.replace(
        plain,
        f'url = "https://{HOST}:{port}"\ncertificate = "{directory}/certificate.pem"\n'
        f'certificate_key = "{directory}/key.pem"\nredirect_port = {REDIRECT_PORT}\n'
        f"subdomains = {str(subdomains).lower()}\n",
    )
    live = LiveHub(cluster, f"https://127.0.0.1:{port}", text, authority=str(directory / "authority.pem"))
    live.start()
    try:
        yield Front(live, authority, directory, port)
    finally:
        live.end_sessions()
        live.stop()
        hub_site.remove()


@contextlib.contextmanager
def tab(context: BrowserContext) -> Iterator[Page]:
    """One more tab of a person's browser."""
    page = context.new_page()
    yield page
    page.goto("about:blank")  # Chromium may not close a page that is still on its way to another
    page.close()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that finds every host of the tests on this machine.

    It takes any certificate: `Front.connect` checks it, as no authority can be told to Chromium without NSS's
    own tools.
    """
    arguments = [
        *ARGUMENTS,
        "--host-resolver-rules=MAP *.example.org 127.0.0.1, MAP *.example.net 127.0.0.1",
        "--ignore-certificate-errors",
        # Else the browser itself keeps pages of the web from this machine, whatever the hub does.
        "--disable-features=LocalNetworkAccessChecks",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


def logged_in(browser: Browser, front: Front, name: str) -> tuple[BrowserContext, Person]:
    """Somebody with a browser of their own, in front of the start page."""
    context = browser.new_context(base_url=front.url, ignore_https_errors=True, viewport=SIZE)
    context.set_default_timeout(30_000)
    # What the web has: a page of somebody else's.
    context.route(f"{ELSEWHERE}/**", lambda route: route.fulfill(body="evil", content_type="text/html"))
    person = Person(context.new_page(), front.live, name)
    person.log_in(front.live.cluster.people[name].password)
    return context, person


@contextlib.contextmanager
def bobs_page(front: Front, *, subdomains: bool) -> Iterator[str]:
    """Bob serves a page from a node; its address."""
    cluster = front.live.cluster
    program = hub_site.DIRECTORY / "bobs_server.py"
    shutil.copyfile(Path(__file__).with_name("bobs_server.py"), program)
    program.chmod(0o644)
    server = cluster.popen(N1.name, ["/usr/bin/python3", "-I", str(program), str(BOBS_PORT)], "bob")

    def serves() -> bool:
        try:
            cluster.connect(GATEWAY.name, N1.address, BOBS_PORT).close()
        except OSError:
            return False
        return True

    try:
        assert processes.wait_until(serves, 10, pause=0.05)
        front.route("bob", N1.address, BOBS_PORT, subdomains=subdomains)
        yield (f"https://bob.{HOST}:{front.port}" if subdomains else front.url) + "/user/bob/plot/nice"
    finally:
        server.kill()
        server.wait()


def tried(page: Page, script: str, *arguments: Any) -> Any:
    """What came of a script in that page: its answer, or the error's name."""
    return page.evaluate(
        f"async (arguments) => {{ try {{ return await ({script})(...arguments); }} "
        "catch (error) { return error.name; } }",
        list(arguments),
    )


def forbidden_in(page: Page) -> list[str]:
    """What the page's policy kept from running or loading, as the browser's console tells from now on."""
    found: list[str] = []
    page.on(
        "console", lambda said: found.append(said.text) if "Content Security Policy" in said.text else None
    )
    return found
