"""Which page opens first: what was chosen, or what the environment has."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Mapping
from typing import Any

from .launcher import say

VARIABLE = "JUPYTERHUB_DEFAULT_URL"
LAB = "/lab"
PAGES = {LAB: "jupyterlab", "/tree": "notebook"}
"""Pages, and the packages that have them."""
APPS = "jupyter_serverproxy_servers"
"""The entry points by which packages announce applications to jupyter-server-proxy."""


def choose(reply: Mapping[str, Any], *, is_own: bool) -> str:
    """The page's path. ``is_own``: a person brought the environment, which may be without JupyterLab."""
    wanted: str = reply["environment"].get(VARIABLE, LAB)
    app = reply.get("app", "")
    if app and not announced(app):
        say("%s has no application %s for jupyter-server-proxy; JupyterLab opens" % (sys.prefix, app))
        wanted = LAB
    if not is_own or wanted not in PAGES or importlib.util.find_spec(PAGES[wanted]):
        return wanted
    return next((page for page, package in PAGES.items() if importlib.util.find_spec(package)), "/")


def announced(app: str) -> bool:
    """Whether a package of this environment has that application."""
    entries: Any = importlib.metadata.entry_points()
    # Python 3.9 has a dictionary, and 3.12 no longer.
    found = entries.select(group=APPS) if hasattr(entries, "select") else entries.get(APPS, ())
    return any(each.name == app for each in found)
