"""The token of a session, which is in no variable of its kernels, and the one that its pages have."""

from __future__ import annotations

import re

from clusterhub.hub.walkthrough import Walk

READ_TOKEN = """\
import glob, json, os
[_file] = glob.glob(os.environ["JUPYTER_RUNTIME_DIR"] + "/jpserver-*.json")
token = json.load(open(_file))["token"]
"""
"""What a cell runs to have the session's token in its variable ``token``."""


async def websocket_url(walk: Walk, path: str) -> str:
    """The address of a websocket of the person's server, with its page's token: a cookie is not enough."""
    server = f"{walk.url}/user/{walk.person}/"
    async with walk.http.get(f"{server}lab") as answer:
        token = re.search(r'"token": "([^"]+)"', await answer.text())
    assert token
    return f"{server}{path}?token={token[1]}"
