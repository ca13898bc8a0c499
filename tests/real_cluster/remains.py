"""What a cluster leaves on the machine: find it, remove it. Works from any state, after any crash."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from clusterhub.errors import ClusterhubError

from . import cgroups, people, processes
from .layout import DATA, SHARED
from .state import State


def refuse_inside() -> None:
    """Raise where this very process is on a host of the cluster: it would saw off its own branch."""
    if processes.has_marker(1):
        raise ClusterhubError(
            "This is a host of the cluster itself.", next="Leave it and run the command on the machine."
        )


def _own_processes(namespaces: set[str]) -> set[int]:
    return (processes.marked_processes() | processes.processes_in(namespaces)) - {os.getpid()}


def _own_namespaces() -> set[str]:
    """The namespaces of the marked processes.

    Not the recorded ones: the kernel gives a namespace's number to the next one made after it is gone, and
    what is in that is somebody else's.
    """
    found: set[str] = set()
    for pid in processes.marked_processes():
        found |= processes.namespaces_of(pid)
    # A marked process that has not unshared yet, and the forwarder, are partly in the machine's own.
    return found - processes.namespaces_of("self") - processes.namespaces_of(1)


def remove(state: State) -> None:
    """Remove processes, namespaces, users, groups and directories, each only if the cluster made it."""
    namespaces = _own_namespaces()

    def none_left() -> bool:
        pids = _own_processes(namespaces)
        cgroups.thaw(state.cgroups)
        processes.kill(pids)
        return not pids

    # Killing a host's process 1 ends all of the host; the loop takes what was started meanwhile.
    if not processes.wait_until(none_left, timeout=20, pause=0.05):
        left = ", ".join(str(pid) for pid in sorted(_own_processes(namespaces)))
        raise ClusterhubError(f"Processes of the cluster do not end: {left}.", next="Run `down` again.")
    cgroups.remove(state.cgroups)
    people.remove(state)
    if str(SHARED) in state.directories:
        shutil.rmtree(SHARED, ignore_errors=True)
    for directory in reversed(state.directories):
        path = Path(directory)
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    shutil.rmtree(DATA, ignore_errors=True)


def find(state: State) -> list[str]:
    """All that is left of the cluster that ``state`` describes, in words; empty when nothing is."""
    left = [f"process {pid}" for pid in sorted(_own_processes(_own_namespaces()))]
    left += [f"namespace {name}" for name in sorted(_pinned(state))]
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if str(DATA) in line or str(SHARED) in line:
            left.append(f"mount {line.split()[4]}")
    left += [f"control group {path}" for path in state.cgroups if Path(path).exists()]
    left += [f"user {name}" for name in state.users if people.user_exists(name)]
    left += [f"group {name}" for name in (*state.users, *state.groups) if people.group_exists(name)]
    left += [f"home {path}" for path in (Path("/home") / name for name in state.users) if path.exists()]
    left += [f"directory {path}" for path in (DATA, *map(Path, state.directories)) if path.exists()]
    return left


def _pinned(state: State) -> set[str]:
    """The cluster's namespaces that something still holds: a process, or a file that it is mounted on."""
    held: set[str] = set()
    for pid in processes.all_pids():
        held |= processes.namespaces_of(pid)
    mounts = Path("/proc/self/mountinfo").read_text()
    return {name for name in state.namespaces if name in held or name in mounts}
