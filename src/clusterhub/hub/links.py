"""Links to the start page: what they fill in, where they lead afterwards, and whether they may start."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote, urlencode, urlsplit

from clusterhub.hub.relaunch import fields_of
from clusterhub.site.schema import Site
from clusterhub.spawner.preset_store import Preset

START = "start"
"""The parameter with which a link asks to start at once; its value is ``now``."""

LONGEST_NEXT = 4096

REDIRECT = "user-redirect/"
"""Below the hub's prefix, JupyterHub's address of a path in the server of whoever comes."""


def query_of(site: Site, options: Mapping[str, object]) -> str:
    """The query of a link that fills this choice in; empty where its profile is not there any more."""
    fields = fields_of(site, options)
    return urlencode([(name.rpartition(":")[2], value) for name, value in fields])


def links_of(site: Site, presets: Sequence[Preset]) -> list[tuple[str, str]]:
    """Names and queries of presets whose profile is still there; the others with an empty query."""
    return [(each.name, query_of(site, each.choice)) for each in presets]


def within(asked: str, server_url: str, hub_prefix: str) -> str:
    """The URL of a path in one server, that a link asks to be led to; empty for anything else.

    ``asked`` is a path below the server's, such as ``lab/tree/notes.ipynb``, or the same after the server's
    own prefix, or after JupyterHub's user-redirect. ``server_url`` is the server's, with a slash at the end.
    """
    own = urlsplit(server_url).path
    for prefix in (f"{hub_prefix}{REDIRECT}", own):
        if asked.startswith(prefix):
            asked = asked.removeprefix(prefix)
            break
    parts = urlsplit(asked)
    path = unquote(parts.path)
    # Browsers take a backslash for a slash, leave out what cannot be printed,
    # and walk up at "..", also at %2e%2e.
    odd = not asked.isprintable() or "\\" in asked or "\\" in path
    if not asked or len(asked) > LONGEST_NEXT or odd or parts.scheme or parts.netloc:
        return ""
    if path.startswith("/") or ".." in re.split(r"[/;]", path):
        return ""
    return server_url + quote(asked, safe="%/:?#[]@!$&'()*+,;=~")


def may_start(allowed: bool, headers: Mapping[str, str], asked: object) -> bool:
    """Whether a link starts what it says.

    That is where the operator lets links do so, it asks for that, and the person came by an address that they
    typed, a bookmark, or a page of this site. A browser that does not say so is not believed.
    """
    here = headers.get("Sec-Fetch-Site") in ("none", "same-origin", "same-site")
    gone_to = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
    return allowed and asked == ["now"] and here and gone_to
