"""Answers the hub's question whether a session serves, for all light sessions of a node.

A program of its own (``python3 -I _light_server.py PORT JUPYTERHUB_VERSION``), standard library only.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    """200 to whatever is asked, as a single-user server of that version of JupyterHub."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", sys.argv[2])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name in the base class
        """Nothing: a line for each request helps nobody."""


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 512
    ThreadingHTTPServer(("", int(sys.argv[1])), Answer).serve_forever()
