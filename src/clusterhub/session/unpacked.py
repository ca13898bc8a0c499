"""A copy of the environment on the node, which `packed.sh` has unpacked: the last session takes it away."""

from __future__ import annotations

import atexit
import fcntl
import os
import subprocess

DELETE = 'chmod -R u+w -- "$1" && rm -rf -- "$1"'
"""What was unpacked is read-only."""


def remove_at_end() -> None:
    """Has this process remove its copy when it ends, unless another session of this person uses it."""
    lock, _, copy = os.environ.pop("CLUSTERHUB_UNPACKED", "").partition(":")
    if copy:
        atexit.register(remove_if_last, int(lock), copy)


def remove_if_last(lock: int, copy: str) -> None:
    """Removes the copy; ``lock`` is the descriptor by which this session holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # One that is half removed must not be taken for a whole one.
        os.rename(copy, copy + ".partial")
    except OSError:
        return
    subprocess.run(["/bin/sh", "-c", DELETE, "clusterhub", copy + ".partial"], check=False)
