"""clusterhub's own style sheets and ES modules, which the hub's pages load from the hub itself.

Their address has a digest of all of them in it. So a browser keeps them for good, also those that a module
imports by a relative name, and has the new ones as soon as a page names these.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from tornado.web import StaticFileHandler

DIRECTORY = Path(__file__).parent / "static"
PLACE = "clusterhub-static"
"""Below the hub's prefix."""
FOR_GOOD = 365 * 86400
"""Seconds."""


@cache
def digest() -> str:
    """Of all files, their names and texts: another one whenever one of them changes."""
    sums = hashlib.sha256()
    for path in sorted(DIRECTORY.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            sums.update(f"{path.relative_to(DIRECTORY)}\0{len(content)}\0".encode())
            sums.update(content)
    return sums.hexdigest()[:16]


def address(hub_prefix: str) -> str:
    """Where a page finds the files, without a slash at the end; ``hub_prefix`` is such as ``/hub/``."""
    return f"{hub_prefix}{PLACE}/{digest()}"


class OwnFileHandler(StaticFileHandler):
    """``GET /hub/clusterhub-static/{digest}/{path}``: nobody needs to be logged in, nor a database."""

    def set_extra_headers(self, _path: str) -> None:
        """A page that was open before an upgrade gets what there is, and must not keep it for that."""
        is_current = f"/{PLACE}/{digest()}/" in self.request.path
        kept = f"public, max-age={FOR_GOOD}, immutable" if is_current else "no-cache"
        self.set_header("Cache-Control", kept)


HANDLERS = [(rf"/{PLACE}/[0-9a-f]+/(.+)", OwnFileHandler, {"path": str(DIRECTORY)})]
