"""A home directory that cannot be written to must not keep its owner out: they come to make room in it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

PROBE = b"clusterhub looks whether there is room.\n" * 400
"""16 KB: some file systems keep the first few hundred bytes in the directory, where there is always room."""

MAKE_ROOM = "Delete files in the file browser or a terminal."
ASK = "Show this to your operators."
"""What follows what is wrong. All of it is shown if it has 140 characters."""


def problem_of(home: str, write: Callable[[str], None] | None = None) -> str:
    """What is wrong with the home directory, and what to do, in words; empty where all is well.

    ``write`` tries to write into it.
    """
    try:
        if not Path(home).is_dir():
            return f"Your home directory {home} is not there on this node. {ASK}"
        (write or probe)(home)
    except OSError as error:
        if error.errno == errno.EDQUOT:
            return f"The quota of your home directory {home} is used up: nothing can be saved. {MAKE_ROOM}"
        if error.errno == errno.ENOSPC:
            return f"Your home directory {home} is full: nothing can be saved. {MAKE_ROOM}"
        return f"Your home directory {home} cannot be written to: {error.strerror}. {ASK}"
    return ""


def probe(home: str) -> None:
    """Writes a small file and removes it. Raises OSError."""
    with tempfile.NamedTemporaryFile(prefix=".clusterhub-", dir=home) as file:
        file.write(PROBE)
        file.flush()
        os.fsync(file.fileno())  # a quota of NFS shows only now


def move_out(home: str, runtime: str) -> list[str]:
    """Arguments and environment with which Jupyter starts although it cannot write into the home directory.

    What it would have to make there is made in the runtime directory on the node, for this session only, and
    begins with what the person has.
    """
    copy(os.path.join(home, ".jupyter", "lab", "workspaces"), os.path.join(runtime, "workspaces"))
    signatures = os.path.join(runtime, "signatures")
    os.makedirs(signatures, exist_ok=True)
    data = os.environ.get("JUPYTER_DATA_DIR") or os.path.join(home, ".local", "share", "jupyter")
    for name in ("nbsignatures.db", "notebook_secret"):
        copy(os.path.join(data, name), os.path.join(signatures, name))
    if "IPYTHONDIR" not in os.environ:
        os.environ["IPYTHONDIR"] = os.path.join(runtime, "ipython")
        copy(
            os.path.join(home, ".ipython", "profile_default"),
            os.path.join(runtime, "ipython", "profile_default"),
        )
    return [
        "--LabServerApp.workspaces_dir=" + os.path.join(runtime, "workspaces"),
        "--NotebookNotary.data_dir=" + signatures,
    ]


def copy(source: str, target: str) -> None:
    """Copies a file or directory, or as much of it as can be read; sockets and the like are left out."""
    try:
        if os.path.isdir(source):
            shutil.copytree(source, target, ignore=without_history)
        elif os.path.isfile(source):
            shutil.copyfile(source, target)
    except (OSError, shutil.Error):
        pass  # without it Jupyter makes a new one


def without_history(_directory: str, names: list[str]) -> list[str]:
    """What IPython keeps of former sessions may be large, and is not needed to start."""
    return [name for name in names if name.startswith("history.sqlite") or name in ("db", "pid", "security")]
