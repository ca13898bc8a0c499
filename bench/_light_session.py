#!/usr/bin/python3 -IS
"""Stands in for a session's Jupyter inside a job: reports as Jupyter would, then sleeps in next to no memory.

A program of its own, standard library only, which is placed where a system expects its own program:

- as ``bin/python3`` of clusterhub's environment it is started as ``python3 -I /dev/fd/3``, with the session's
  launcher on that descriptor; it has the launcher board, and says that it serves;
- as ``batchspawner-singleuser`` it tells the hub its port, as that program does.

The port is the one of the node's shared server (`_light_server.py`), which answers the hub for all sessions.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import types
import urllib.request

PORT = 9999
"""Of the server that all sessions of a node share."""


class SharedListener:
    """What the launcher wants to know of a listening socket."""

    family = socket.AF_INET

    def getsockname(self) -> tuple[str, int]:
        """All interfaces, so that the launcher finds the one that faces the hub."""
        return "0.0.0.0", PORT  # noqa: S104 - nothing is bound


def board(launcher_path: str) -> None:
    """Trade the ticket and say that the session serves, by the launcher's own functions."""
    launcher = types.ModuleType("launcher")
    with open(launcher_path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is an import more per session
        exec(compile(file.read(), "launcher.py", "exec"), launcher.__dict__)  # noqa: S102 - as Python would
    settings = json.loads(os.environ.pop("CLUSTERHUB_SETTINGS"))
    listener = SharedListener()
    reply = launcher.claim(settings, listener)
    if reply["tls"]:
        hand_over(reply["tls"])
    token = reply["environment"]["JUPYTERHUB_API_TOKEN"]
    said = launcher.whereabouts(settings, listener)
    launcher.persist(lambda: launcher.post(settings, "ready_url", said, token), settings["patience"])


def hand_over(identity: dict[str, str]) -> None:
    """Give the node's shared server the certificate that it has to answer with."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(f"\0clusterhub-light-{PORT}")
        with server.makefile("rw") as file:
            file.write(json.dumps(identity) + "\n")
            file.flush()
            file.readline()


def register() -> None:
    """Tell batchspawner the port."""
    request = urllib.request.Request(  # noqa: S310 - the hub's own address
        os.environ["JUPYTERHUB_API_URL"].rstrip("/") + "/batchspawner",
        json.dumps({"port": PORT}).encode(),
        {
            "Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"],
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - as above
        pass


def main() -> None:
    """Report, then sleep until the job is ended."""
    if sys.argv[1:2] == ["-I"]:
        board(sys.argv[2])
    else:
        register()
    os.execv("/usr/bin/sleep", ["sleep", "infinity"])  # noqa: S606 - takes this process's place, and less memory


if __name__ == "__main__":
    main()
