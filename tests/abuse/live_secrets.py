"""Every secret that is alive while somebody has a session: where each is lawful, and what it looks like."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from tests import hub_site
from tests.hub_fixture import LiveHub
from tests.tokens import own_token

from clusterhub.hub.walkthrough import Walk

SHORTEST = 8
"""Characters: what is shorter would be found by chance."""

LONGEST = 8192
"""Bytes of a file that may be a secret as a whole."""

_KERNEL = """\
import glob, json, os
from pathlib import Path
from ipykernel import get_connection_file
[file] = glob.glob(os.environ["JUPYTER_RUNTIME_DIR"] + "/jpserver-*.json")
key = json.loads(Path(get_connection_file()).read_text())["key"]
print(json.dumps({"token": json.loads(Path(file).read_text())["token"], "kernel's key": key}))
"""
"""What a cell of the person's finds: the session's token, and the key of its kernel's sockets."""

_SIGNED = re.compile(r"2\|1:0\|\d+:\d+\|\d+:[^|]*\|\d+:([^|]*)\|[0-9a-f]{64}")
"""A cookie that tornado has signed, version 2: the value in base64, then the signature."""


async def live_secrets(hub: LiveHub, walk: Walk) -> dict[str, str]:
    """By name: of the person, of their browser, of their session and of the hub."""
    secrets = {"password": hub.cluster.people[walk.person].password}
    secrets["token that the person made"] = await own_token(walk)
    printed, _ = await walk.run_cell(_KERNEL)
    secrets |= {f"session: {name}": value for name, value in json.loads(printed).items()}
    for cookie in walk.http.cookie_jar:
        name = f"cookie {cookie.key} of {cookie['path']}"
        secrets[name] = cookie.value
        secrets |= dict(_signed(name, cookie.value))
    secrets |= dict(_of_the_hub()) | dict(_session_key(hub))
    return {name: value for name, value in secrets.items() if len(value) >= SHORTEST}


def _signed(name: str, value: str) -> Iterator[tuple[str, str]]:
    """What is inside of a signed cookie, which alone opens nothing, but is nobody's to see either."""
    for text in (value, _decoded(value)):
        if found := _SIGNED.fullmatch(text):
            yield f"{name}, as it is signed", _decoded(found[1])


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def _of_the_hub() -> Iterator[tuple[str, str]]:
    yield "token of a service", hub_site.SERVICE_TOKEN
    for path in sorted(hub_site.STATE_DIRECTORY.rglob("*")):
        if not path.is_file() or path.stat().st_size > LONGEST:
            continue
        text = path.read_text(errors="replace").strip()
        if "PRIVATE KEY" in text:
            yield f"file {path.name}", _of_key(text)
        elif re.fullmatch(r"[0-9A-Za-z+/=_.-]{32,}", text):
            yield f"file {path.name}", text


_SESSION_KEYS = """\
import os, pathlib
for descriptor in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
    try:
        if "memfd:clusterhub" in os.readlink(descriptor): print(descriptor.read_text())
    except OSError:
        pass
"""


def _session_key(hub: LiveHub) -> Iterator[tuple[str, str]]:
    """What root on the nodes can take out of the memory of the session."""
    for node in ("n1", "n2"):
        text = hub.cluster.run(node, ["/usr/bin/python3", "-c", _SESSION_KEYS]).stdout
        if "PRIVATE KEY" in text:
            yield "session's key", _of_key(text)


def _of_key(pem: str) -> str:
    """A line in the middle of a private key: long enough, and in no other key."""
    return pem.partition("PRIVATE KEY-----")[2].split()[1]


def spellings(secrets: Mapping[str, str]) -> dict[str, str]:
    """Each text that a secret may be written as -> the secret's name."""
    found: dict[str, str] = {}
    for name, value in secrets.items():
        for text in (
            value,
            quote(value, safe=""),
            base64.b64encode(value.encode()).decode().rstrip("="),
            json.dumps(value)[1:-1],
        ):
            found[text] = name
    return found
