"""The whole way of a person, without one: log in, start, run a cell, stop. It speaks as a browser does."""

from __future__ import annotations

import asyncio
import html
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from jupyterhub.utils import url_escape_path
from yarl import URL

from clusterhub.errors import ClusterhubError

HTTP_ERROR = 400
LOGIN_ERROR = 'class="login_error"'


class WalkFailed(ClusterhubError):
    """A step of the way did not work."""


@dataclass
class Walk:
    """One person's way through a running hub. Use it in ``async with Walk.begin(...)``."""

    url: str
    person: str
    http: aiohttp.ClientSession
    messages: list[str] = field(default_factory=list)
    """What the waiting page said."""

    @classmethod
    @asynccontextmanager
    async def begin(cls, url: str, person: str) -> AsyncIterator[Walk]:
        """A person in front of a browser without cookies. ``url`` is the hub's public one."""
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of a numeric address, such as 127.0.0.1
        timeout = aiohttp.ClientTimeout(total=60)
        # Less than the proxy keeps a connection: one that it closes meanwhile must not get the next request.
        connector = aiohttp.TCPConnector(keepalive_timeout=2)
        async with aiohttp.ClientSession(cookie_jar=jar, timeout=timeout, connector=connector) as http:
            yield cls(url.rstrip("/"), person, http)

    async def log_in(self, password: str) -> None:
        """Raises WalkFailed with the page's own sentence."""
        page = await self.http.get(f"{self.url}/hub/login")
        await page.read()
        data = {"username": self.person, "password": password, "_xsrf": self._xsrf("/hub/")}
        async with self.http.post(f"{self.url}/hub/login", data=data, allow_redirects=False) as answer:
            text = await answer.text()
            if answer.status != 302:  # noqa: PLR2004 - where a login leads to
                raise WalkFailed(f"The login was refused: {_between(text, LOGIN_ERROR, '</p>')}")
        home = await self.http.get(f"{self.url}/hub/home")  # renews the token against forged requests
        await home.read()

    async def start(self, choice: Mapping[str, str], server: str = "", patience: float = 120.0) -> None:
        """Presses Start and waits ``patience`` seconds at most for the server. Raises WalkFailed."""
        await self.press_start(choice, server)
        await asyncio.wait_for(self._until_ready(server), patience)

    async def press_start(self, choice: Mapping[str, str], server: str = "") -> None:
        """Sends the start page's form. Raises WalkFailed with the page's own sentence."""
        where = f"/{self._escaped}/{server}" if server else ""
        form = {f"{choice['profile']}:{key}": value for key, value in choice.items() if key != "profile"}
        if "profile" in choice:
            form["profile"] = choice["profile"]
        url = f"{self.url}/hub/spawn{where}"
        async with self.http.post(url, data=form, params={"_xsrf": self._xsrf("/hub/")}) as answer:
            text = await answer.text()
            if answer.status >= HTTP_ERROR:
                marker = "spawn-error-msg" if "spawn-error-msg" in text else "</h1>"
                raise WalkFailed(f"The start was refused: {_between(text, marker, '</p>')}")

    async def _until_ready(self, server: str) -> None:
        async for event in self.progress(server):
            self.messages.append(event.get("message", ""))
            if event.get("failed"):
                raise WalkFailed(event.get("message", "The start failed."))
            if event.get("ready"):
                return
        raise WalkFailed("The waiting page ended without an answer.")

    async def progress(self, server: str = "") -> AsyncIterator[dict[str, Any]]:
        """The events that the waiting page gets."""
        url = f"{self._server_api(server)}/progress"
        async with self.http.get(url, headers=self.headers(), timeout=aiohttp.ClientTimeout()) as answer:
            if answer.status >= HTTP_ERROR:
                raise WalkFailed(f"The progress cannot be seen: {await answer.text()}")
            async for line in answer.content:
                if line.startswith(b"data:"):
                    yield json.loads(line[len(b"data:") :])

    async def run_cell(self, code: str, server: str = "", kernel: str = "") -> tuple[str, str]:
        """Runs code through the kernel's channel; returns its printed output and the kernel's id.

        ``kernel`` is the id of a kernel that is running already; empty for a new one.
        """
        base = f"{self.url}/user/{self._escaped}/{server + '/' if server else ''}"
        page = await self.http.get(f"{base}api/me")
        await page.read()
        page = await self.http.get(f"{base}lab")
        text = await page.text()
        if page.status >= HTTP_ERROR:
            raise WalkFailed(f"JupyterLab answered HTTP {page.status}: {text[:300]}")
        headers = {"X-XSRFToken": self._xsrf(URL(base).path)}
        if not kernel:
            async with self.http.post(f"{base}api/kernels", json={}, headers=headers) as answer:
                body = await answer.json()
                if answer.status >= HTTP_ERROR:
                    raise WalkFailed(f"No kernel was started: {body}")
                kernel = body["id"]
        # As JupyterLab does where cookies are not enough for websockets.
        token = json.loads(_between(text, '"jupyter-config-data"', "</script>"))["token"]
        url = URL(f"{base}api/kernels/{kernel}/channels").with_query(token=token)
        async with self.http.ws_connect(url) as channel:
            return await asyncio.wait_for(execute(channel, code), 60), kernel

    async def stop(self, server: str = "", patience: float = 60.0) -> None:
        """Presses Stop and waits until the server is gone. Raises WalkFailed."""
        async with self.http.delete(self._server_api(server), headers=self.headers()) as answer:
            if answer.status >= HTTP_ERROR:
                raise WalkFailed(f"The stop was refused: {await answer.text()}")
        deadline = time.monotonic() + patience
        while server in (await self.model())["servers"]:
            if time.monotonic() > deadline:
                raise WalkFailed(f"The server was not stopped within {patience:.0f} s.")
            await asyncio.sleep(0.2)

    async def model(self) -> dict[str, Any]:
        """What the hub's API says of this person."""
        async with self.http.get(
            f"{self.url}/hub/api/users/{self._escaped}", headers=self.headers()
        ) as answer:
            model: dict[str, Any] = await answer.json()
            if answer.status >= HTTP_ERROR:
                raise WalkFailed(f"The hub does not tell about {self.person}: {model}")
            return model

    @property
    def _escaped(self) -> str:
        """The name as JupyterHub writes it into paths: the session answers to no other spelling."""
        return str(url_escape_path(self.person))

    def _server_api(self, server: str) -> str:
        return f"{self.url}/hub/api/users/{self._escaped}/{'servers/' + server if server else 'server'}"

    def headers(self) -> dict[str, str]:
        """What the hub wants to see with a request of a page of its own."""
        return {"X-XSRFToken": self._xsrf("/hub/"), "Referer": f"{self.url}/hub/home"}

    def _xsrf(self, path: str) -> str:
        cookies = self.http.cookie_jar.filter_cookies(URL(self.url).join(URL(path)))
        return cookies["_xsrf"].value if "_xsrf" in cookies else ""


async def execute(channel: Any, code: str) -> str:
    """Sends an execute_request (Jupyter's messaging protocol) and gathers what the cell printed."""
    request = uuid.uuid4().hex
    header = {
        "msg_id": request,
        "msg_type": "execute_request",
        "username": "",
        "session": uuid.uuid4().hex,
        "date": "",
        "version": "5.3",
    }
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    await channel.send_json(
        {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
    )
    printed, idle, replied = "", False, False
    while not (idle and replied):
        message = await channel.receive_json()
        if message["parent_header"].get("msg_id") != request:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            printed += content["text"]
        elif kind == "error":
            raise WalkFailed(f"The cell failed: {content['ename']}: {content['evalue']}")
        elif kind == "execute_reply":
            replied = True
        elif kind == "status":
            idle = content["execution_state"] == "idle"
    return printed


def _between(text: str, start: str, end: str) -> str:
    """The words of a page between a marker and the end of its element."""
    part = text.partition(start)[2].partition(">")[2].partition(end)[0]
    return " ".join(html.unescape(part).split()) or "the page says nothing of it"
