"""Databases of a hub of the demo, each with something that happens to it and is undone."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.fault.conftest import Demo, running_demo
from tests.postgresql import PostgreSQL, postgresql

SMALL_DISK = "4m"


@dataclass
class Faulty:
    """A hub whose database goes away and comes back."""

    demo: Demo
    take_away: Callable[[], None]
    give_back: Callable[[], None]


WAITS = """
[[profile]]
name = "waits"
prologue = "until [ -e {directory}/go-on ]; do sleep 0.1; done"
"""
"""Its sessions board once there is that file."""


def one_cpu(directory: Path, hub: str = "") -> AbstractContextManager[Demo]:
    """A hub of the demo for whose sessions there is one CPU: the second of them waits."""
    return running_demo(directory, hub=hub, cluster="cpus = 1", profile=WAITS)


def run(*argv: str) -> None:
    """Runs a command, which must not fail."""
    subprocess.run(argv, check=True)


def database_file(demo: Demo) -> Path:
    """SQLite's."""
    return demo.directory / "state" / "jupyterhub.sqlite"


@contextlib.contextmanager
def sqlite_locked(directory: Path) -> Iterator[Faulty]:
    """Another process holds the file exclusively, as some backups do."""
    with one_cpu(directory) as demo:
        other = sqlite3.connect(database_file(demo), isolation_level=None)
        with contextlib.closing(other):
            yield Faulty(demo, lambda: other.execute("BEGIN EXCLUSIVE") and None, other.rollback)


@contextlib.contextmanager
def sqlite_gone(directory: Path) -> Iterator[Faulty]:
    """The file has another name for a while."""
    with one_cpu(directory) as demo:
        file = database_file(demo)
        elsewhere = file.with_name("elsewhere")
        yield Faulty(demo, lambda: file.rename(elsewhere) and None, lambda: elsewhere.rename(file) and None)


@contextlib.contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """The hub's state directory on a file system of its own."""
    state = directory / "state"
    state.mkdir(parents=True, mode=0o700)
    run("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=700", "tmpfs", str(state))
    try:
        yield state
    finally:
        # The demo removes its state directory in the end: not while this one is in the way.
        run("umount", "--lazy", str(state))


@contextlib.contextmanager
def disk_full(directory: Path) -> Iterator[Faulty]:
    """The disk of the state directory has no byte left, for anything that lies there."""
    with small_disk(directory) as state, one_cpu(directory) as demo:
        filling = state / "filling"

        def fill() -> None:
            with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * 512)

        yield Faulty(demo, fill, filling.unlink)


@contextlib.contextmanager
def disk_read_only(directory: Path) -> Iterator[Faulty]:
    """The disk of the state directory is mounted read-only, as after an error of the file system."""
    with small_disk(directory) as state, one_cpu(directory) as demo:
        # Beneath what is open for writing a file system cannot be made read-only; a view of it can.
        def cover() -> None:
            run("mount", "--bind", str(state), str(state))
            run("mount", "-o", "remount,bind,ro", str(state))

        yield Faulty(demo, cover, lambda: run("umount", "--lazy", str(state)))


@contextlib.contextmanager
def on_postgresql(directory: Path) -> Iterator[tuple[Demo, PostgreSQL]]:
    """A hub of the demo with a database of PostgreSQL."""
    with postgresql() as server, one_cpu(directory, f'database = "{server.url}"') as demo:
        try:
            yield demo, server
        finally:
            server.ensure_running()


@contextlib.contextmanager
def postgresql_stopped(directory: Path) -> Iterator[Faulty]:
    """The server is stopped and started."""
    with on_postgresql(directory) as (demo, server):
        yield Faulty(demo, server.stop, server.start)


@contextlib.contextmanager
def postgresql_frozen(directory: Path) -> Iterator[Faulty]:
    """The server's machine is alive, and the server does not answer."""
    with on_postgresql(directory) as (demo, server):
        yield Faulty(demo, server.freeze, server.thaw)


@contextlib.contextmanager
def postgresql_read_only(directory: Path) -> Iterator[Faulty]:
    """The server takes no writes, as after a change-over to a copy of it."""
    with on_postgresql(directory) as (demo, server):
        yield Faulty(demo, lambda: server.set_read_only(True), lambda: server.set_read_only(False))


FAULTS = (
    sqlite_locked,
    sqlite_gone,
    disk_full,
    disk_read_only,
    postgresql_stopped,
    postgresql_frozen,
    postgresql_read_only,
)
