"""A session of alice's on a node of the real cluster, and what tests of attacks do with it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.hub_fixture import LiveHub
from tests.hub_site import ENVIRONMENT
from tests.session_token import websocket_url

from clusterhub.hub.walkthrough import Walk

NODE = "n1"
"""Where sessions of the profiles `debug` and `interactive` with one CPU run."""

PYTHON = str(ENVIRONMENT / "bin" / "python3")
"""On every node; the attackers' own Python, too: it has what a kernel's client needs."""


@dataclass
class LiveSession:
    """Alice's running server, seen from her browser and from the node."""

    hub: LiveHub
    walk: Walk
    kernel: str = ""
    """The id of the kernel that `run` uses."""
    kernels: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The server's address for the person's browser, with a slash at its end."""
        return f"{self.walk.url}/user/{self.walk.person}/"

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the server."""
        async with self.walk.http.get(self.base + path) as answer:
            return answer.status, await answer.text()

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON that the server's API answers; None where it answers without any."""
        await self.get("api/me")
        headers = {"X-XSRFToken": self.walk._xsrf(f"/user/{self.walk.person}/")}
        async with self.walk.http.request(method, self.base + path, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status < 400, f"{method} {path}: {answer.status} {text[:500]}"
            return json.loads(text) if text else None

    async def run(self, code: str) -> str:
        """What code prints in the kernel, which is started for the first."""
        printed, self.kernel = await self.walk.run_cell(code, kernel=self.kernel)
        return printed.strip()

    async def start_kernel(self, name: str) -> LiveSession:
        """The same session, with a kernel of that name."""
        started = await self.ask("POST", "api/kernels", {"name": name})
        return replace(self, kernel=started["id"])

    async def server_pid(self) -> int:
        """The process of the server, as the node numbers it."""
        return int(await self.run("import os; print(os.getppid())"))

    async def runtime(self) -> str:
        """The runtime directory, where connection files and sockets are."""
        return await self.run("import os; print(os.environ['JUPYTER_RUNTIME_DIR'])")

    async def run_in_terminal(self, command: str) -> str:
        """What a command prints in a new terminal of the server."""
        name = (await self.ask("POST", "api/terminals"))["name"]
        begin, end = (uuid.uuid4().hex for _ in range(2))
        # Quotes within the words keep the terminal's echo of what is typed from being taken for the output.
        line = f"echo '{begin[:8]}''{begin[8:]}'; {command}; echo '{end[:8]}''{end[8:]}'\r"
        url = await websocket_url(self.walk, f"terminals/websocket/{name}")
        async with self.walk.http.ws_connect(url) as channel:
            await channel.send_json(["stdin", line])
            printed = ""

            async def until_end() -> None:
                nonlocal printed
                while end not in printed:
                    kind, *rest = await channel.receive_json()
                    if kind == "stdout":
                        printed += rest[0]

            await asyncio.wait_for(until_end(), 30)
        await self.ask("DELETE", f"api/terminals/{name}")
        return printed.partition(begin)[2].partition(end)[0].replace("\r", "").strip()

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[Channel]:
        """The kernel's channels, as a page has them."""
        url = await websocket_url(self.walk, f"api/kernels/{self.kernel}/channels")
        async with self.walk.http.ws_connect(url) as socket:
            yield Channel(socket)


@dataclass
class Channel:
    """Jupyter's messages to and from a kernel."""

    socket: Any

    async def send(self, kind: str, content: dict[str, Any], channel: str = "shell") -> str:
        """Sends a message; returns its id."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "username": "",
            "session": uuid.uuid4().hex,
            "date": "",
            "version": "5.3",
        }
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
        await self.socket.send_json({**message, "channel": channel})
        return header["msg_id"]

    async def execute(self, code: str) -> str:
        """Sends code to be run; returns the message's id."""
        return await self.send("execute_request", {"code": code, "silent": False, "allow_stdin": False})

    async def until(self, kind: str, parent: str = "") -> dict[str, Any]:
        """The content of the next message of that kind, to that request where one is named."""

        async def wait() -> dict[str, Any]:
            while True:
                message = await self.socket.receive_json()
                if message["msg_type"] == kind and parent in ("", message["parent_header"].get("msg_id")):
                    content: dict[str, Any] = message["content"]
                    return content

        return await asyncio.wait_for(wait(), 60)


@asynccontextmanager
async def live_session(
    hub: LiveHub, profile: str = "debug", person: str = "alice"
) -> AsyncIterator[LiveSession]:
    """A session that has started and that a browser has opened; it is ended with all others at the end."""
    async with Walk.begin(hub.url, person) as walk:
        await walk.log_in(hub.cluster.people[person].password)
        await walk.start({"profile": profile})
        session = LiveSession(hub, walk)
        await session.get("lab")
        try:
            yield session
        finally:
            hub.end_sessions()
