"""What Bob has his session serve: a page that tries what it can with whoever opens it. Run: PORT BASE.

Standard library only. It asks for no login, and sends whatever headers help it.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"""<!DOCTYPE html><title>A nice plot</title><button id="more">Show more</button>
<script>more.onclick = () => { window.opened = window.open(window.target, "w"); };</script>
"""
WORKER = b"self.addEventListener('fetch', (e) => e.respondWith(new Response('stolen')));"


class Handler(BaseHTTPRequestHandler):
    """Answers every path with the page, and ``sw.js`` with a service worker."""

    def do_GET(self) -> None:
        """See the class."""
        is_worker = self.path.endswith("sw.js")
        body = WORKER if is_worker else PAGE
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_worker else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Service-Worker-Allowed", "/")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Keeps quiet."""


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()  # noqa: S104 - a node's
