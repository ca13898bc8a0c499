"""What can be seen of an environment that a person brings along: names of files, nothing of it is run."""

from __future__ import annotations

import os
import re
from typing import Any

_PYTHON = re.compile(r"python(3\.[0-9]{1,3})")
_SERVER = re.compile(r"jupyter_server-([0-9][0-9A-Za-z.+]{0,40})\.dist-info")


def look_at(path: str) -> dict[str, Any]:
    """Of a directory with an environment, or of a file with an image.

    ``python`` and ``server`` are versions, empty where none is found; ``borrows``: it has packages of another
    Python besides its own.
    """
    found = {"exists": os.path.exists(path), "readable": os.access(path, os.R_OK)}
    found["runs"] = os.access(os.path.join(path, "bin", "python3"), os.X_OK)
    python, server = "", ""
    for name in sorted(_names(os.path.join(path, "lib"))):
        if _PYTHON.fullmatch(name):
            python = name[len("python") :]
            packages = _names(os.path.join(path, "lib", name, "site-packages"))
            server = server or next((match[1] for match in map(_SERVER.fullmatch, packages) if match), "")
    return {
        **found,
        "python": python,
        "server": server,
        "borrows": _borrows(os.path.join(path, "pyvenv.cfg")),
    }


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _borrows(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
            text = file.read(4096)
    except OSError:
        return False
    return re.search(r"(?mi)^include-system-site-packages\s*=\s*true", text) is not None
