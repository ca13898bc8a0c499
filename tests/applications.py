"""An environment with an application: jupyter-server-proxy itself, and a small program that it serves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from clusterhub.errors import ClusterhubError
from tests.real_cluster import cache
from tests.real_cluster.layout import CACHE, REPOSITORY, SHARED

REQUIREMENTS = REPOSITORY / "requirements" / "applications.txt"
NAME = "board"
"""Under which the environment announces the application."""

PROGRAM = '''\
"""Says on its page who runs it where, to whoever may open its socket."""

import getpass
import http.server
import socket
import socketserver
import sys


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = f"<title>Board</title><h1>A board of {getpass.getuser()} on {socket.gethostname()}</h1>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def setup():
    return {"command": [sys.executable, __file__, "{unix_socket}"], "unix_socket": True, "timeout": 20}


if __name__ == "__main__":
    socketserver.UnixStreamServer(sys.argv[1], Page).serve_forever()
'''
ENTRY_POINTS = f"[jupyter_serverproxy_servers]\n{NAME} = clusterhub_board:setup\n"
METADATA = "Metadata-Version: 2.1\nName: clusterhub-board\nVersion: 1.0\n"


def make(target: Path) -> None:
    """Makes it of the environment that sessions of the tests have. Raises ClusterhubError."""
    # Whole files: Jupyter serves none that a link leads out of its directory to.
    shutil.copytree((SHARED / "environments" / "current").resolve(), target, symlinks=True)
    [packages] = target.glob("lib/python3*/site-packages")
    python = target / "bin" / "python3"
    argv = [str(python), "-m", "pip", "install", "--require-hashes", "--no-compile", "-r", str(REQUIREMENTS)]
    argv += ["--cache-dir", str(CACHE / "pip")]
    with cache.turn():
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        raise ClusterhubError(
            "jupyter-server-proxy could not be installed.",
            where=" ".join(argv[:4]),
            next="Check that pip can install packages here.",
            log=tuple(done.stderr.splitlines()[-12:]),
        )
    (packages / "clusterhub_board.py").write_text(PROGRAM)
    announced = packages / "clusterhub_board-1.0.dist-info"
    announced.mkdir()
    (announced / "METADATA").write_text(METADATA)
    (announced / "entry_points.txt").write_text(ENTRY_POINTS)
