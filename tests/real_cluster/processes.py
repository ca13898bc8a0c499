"""Find and end processes: by marker, by namespace, by user. Never by name."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .layout import DATA, MARKER_NAME

CLONE_NEWNET = 0x40000000
NAMESPACE_KINDS = ("net", "mnt", "pid", "uts", "ipc")
MARKER = f"{MARKER_NAME}={DATA}".encode()


def all_pids() -> Iterator[int]:
    """Every process id of the machine."""
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def namespaces_of(pid: int | str) -> frozenset[str]:
    """The namespaces of a process, like ``net:[4026532201]``; empty where it is gone or a zombie."""
    found = set()
    with contextlib.suppress(OSError):
        for kind in NAMESPACE_KINDS:
            found.add(str(Path(f"/proc/{pid}/ns/{kind}").readlink()))
    return frozenset(found)


def has_marker(pid: int) -> bool:
    """Whether `up` started the process."""
    return has_environment(pid, MARKER)


def has_environment(pid: int, assignment: bytes) -> bool:
    """Whether the process was started with this ``NAME=value`` in its environment."""
    try:
        return assignment in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def is_alive(pid: int) -> bool:
    """Whether a process of that id is there and not a zombie."""
    return _field(pid, "State:")[:1] not in ([], ["Z"], ["X"])


def _field(pid: int, name: str) -> list[str]:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return line.split()[1:]
    except OSError:
        pass
    return []


def marked_processes() -> set[int]:
    """Processes that `up` started, except the caller."""
    return {pid for pid in all_pids() if pid != os.getpid() and has_marker(pid)}


def processes_in(namespaces: Iterable[str]) -> set[int]:
    """Live processes that are in any of these namespaces."""
    wanted = frozenset(namespaces)
    return {pid for pid in all_pids() if namespaces_of(pid) & wanted} if wanted else set()


def processes_of_uid(uid: int) -> set[int]:
    """Processes of a user, wherever they are."""
    return {pid for pid in all_pids() if str(uid) in _field(pid, "Uid:") and is_alive(pid)}


def pids_by_inner_pid(init_pid: int) -> dict[int, int]:
    """The live processes of a host: process id as the host sees it -> process id on the machine."""
    try:
        namespace = Path(f"/proc/{init_pid}/ns/pid").readlink()
    except OSError:
        return {}
    found = {}
    for pid in all_pids():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/ns/pid").readlink() == namespace and is_alive(pid):
                found[int(_field(pid, "NSpid:")[-1])] = pid
    return found


def kill(pids: Iterable[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Signal processes; those that are gone already are no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(true: Callable[[], bool], timeout: float, pause: float = 0.02) -> bool:
    """Whether the condition came true within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def connect_from(init_pid: int, address: str, port: int, timeout: float = 5.0) -> socket.socket:
    """A TCP connection made from within a host's network. Raises OSError as connecting does."""
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def connect() -> None:
        # setns moves only this thread; the socket keeps the network that it was made in.
        try:
            namespace = os.open(f"/proc/{init_pid}/ns/net", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "cannot enter the host's network")
            finally:
                os.close(namespace)
            made.append(socket.create_connection((address, port), timeout=timeout))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]
