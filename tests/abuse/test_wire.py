"""TLS on the way between hub, proxy and session: all of it is read along, while a hub is killed as well.

A site on the local engine, whose network is this machine's loopback: the same way as to a node. With
``tls = false`` (and ``http`` in its internal_url) the test finds plain HTTP, and the cell's text.
"""

from __future__ import annotations

import getpass
import os
import re
import signal
from pathlib import Path

import pytest
from tests.abuse.wire import capture, is_tls, streams
from tests.fault.conftest import Demo, running_demo, until
from tests.fault.visits import is_ready

from clusterhub.hub.walkthrough import Walk

WORD = "nobody-else-reads-this-word"


async def visit(demo: Demo) -> None:
    """Somebody logs in, starts a session and runs a cell; the hub is killed and comes back to the session."""
    async with Walk.begin(demo.url, getpass.getuser()) as walk:
        await walk.log_in(demo.password)
        await walk.start({"profile": "small"})
        printed, kernel = await walk.run_cell(f"word = '{WORD}'; print(word)")
        assert printed.strip() == WORD
        os.kill(demo.pid("jupyterhub"), signal.SIGKILL)
        await until(lambda: is_ready(walk))
        printed, same = await walk.run_cell("print(word)", kernel=kernel)
        assert (printed.strip(), same) == (WORD, kernel)


async def test_all_that_hub_proxy_and_session_say_to_each_other_is_tls(tmp_path: Path) -> None:
    file = tmp_path / "frames"
    with capture(file), running_demo(tmp_path / "demo") as demo:
        await visit(demo)
        log = (demo.directory / "hub.log").read_text()
        site = (demo.directory / "site.toml").read_text()
    [hub_port] = map(int, re.findall(r"internal_url = \"https?://127\.0\.0\.1:(\d+)", site))
    [target] = set(re.findall(r"Adding route /user/\S+ -> (\S+)", log))  # the same before and after
    session_port = int(target.rpartition(":")[2])

    wire = streams(file)
    for port in (hub_port, session_port):
        for place in (1, 3):  # what it said, and what was said to it
            said = [stream for ends, stream in wire.items() if ends[place] == port and stream.parts]
            assert said, f"port {port} was not heard"
            for stream in said:
                assert stream.begin is not None
                assert is_tls(stream.content), stream.content[:200]
                found = [word for word in (WORD, "HTTP/1.", "ookie:") if word.encode() in stream.content]
                assert not found
    # What is captured can be read where it is plain: browsers speak plain HTTP with this site's proxy.
    front = int(demo.url.rpartition(":")[2])
    assert any(b"HTTP/1.1" in stream.content for ends, stream in wire.items() if ends[3] == front)


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
