"""Answers the hub's question whether a session serves, for all light sessions of a node.

A program of its own (``python3 -I _light_server.py PORT JUPYTERHUB_VERSION``), standard library only. A
session hands it key and certificate over a socket of the node, and it answers to each name with the one of
that name; whoever does not speak TLS is answered in plain HTTP, as batchspawner's sessions are.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANDSHAKE = b"\x16"
"""The first byte of a connection with TLS (RFC 8446, 5.1)."""


class Answer(BaseHTTPRequestHandler):
    """200 to whatever is asked, as a single-user server of that version of JupyterHub."""

    server: LightServer

    def setup(self) -> None:
        """Speaks TLS with whoever begins so."""
        if self.request.recv(1, socket.MSG_PEEK) == HANDSHAKE:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        """The connection ends with its answer."""
        super().finish()
        self.request.close()

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("X-JupyterHub-Version", sys.argv[2])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name in the base class
        """Nothing: a line for each request helps nobody."""


class LightServer(ThreadingHTTPServer):
    """For all names that it has been given."""

    request_queue_size = 512

    def __init__(self, port: int) -> None:
        self._identities: dict[str, str] = {}
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.sni_callback = self._choose
        super().__init__(("", port), Answer)

    def _choose(self, connection: ssl.SSLObject, name: str, _: ssl.SSLContext) -> int | None:
        if name not in self._identities:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with open(os.memfd_create("identity"), "w+") as file:  # noqa: PTH123 - a descriptor
            file.write(self._identities[name])
            file.flush()
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        connection.context = context
        return None

    def take_identities(self, port: int) -> None:
        """Hears from sessions under which name they are reached, and with which certificate."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"\0clusterhub-light-{port}")
            listener.listen(512)
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rw") as file:
                    identity = json.loads(file.readline())
                    self._identities[identity["name"]] = identity["key"] + identity["certificate"]
                    file.write("taken\n")


if __name__ == "__main__":
    server = LightServer(int(sys.argv[1]))
    threading.Thread(target=server.take_identities, args=(int(sys.argv[1]),), daemon=True).start()
    server.serve_forever()
