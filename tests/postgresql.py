"""A PostgreSQL server of a test's own, from Debian's package, on a socket in a directory of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.real_cluster import processes

SYSTEM_USER = "postgres"
ROLE = "clusterhub"


def program(name: str) -> str:
    """The newest of that name: Debian keeps them beside each other, by version."""
    return str(max(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])))


@dataclass
class PostgreSQL:
    """A server that can be stopped, frozen and locked."""

    directory: Path
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    _server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As it stands in site.toml: the password lies in a file of the hub's account."""
        return f"postgresql://{ROLE}@/hub?host={self.directory}&passfile={self.passfile}"

    @property
    def passfile(self) -> Path:
        """With what the hub logs in."""
        return self.directory / "pgpass"

    def make(self) -> None:
        """Makes a server with an empty database, and starts it."""
        shutil.chown(self.directory, SYSTEM_USER)
        self.directory.chmod(0o755)
        first = self.directory / "first-password"
        first.write_text(self.password)
        shutil.chown(first, SYSTEM_USER)
        subprocess.run(
            [
                *(program("initdb"), "--pgdata", str(self.directory / "data"), "--username", ROLE),
                *("--auth", "scram-sha-256", "--pwfile", str(first), "--no-sync", "--encoding", "UTF8"),
            ],
            user=SYSTEM_USER,
            cwd=self.directory,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        self.passfile.touch(mode=0o600)
        self.passfile.write_text(f"*:*:*:{ROLE}:{self.password}\n")
        self.start()
        with self.connect("postgres") as connection:
            connection.execute("CREATE DATABASE hub")

    def give_passfile(self, account: str) -> None:
        """The hub runs as this account: libpq takes no file of another's."""
        shutil.chown(self.passfile, account)

    def connect(self, database: str = "hub") -> psycopg.Connection[tuple[object, ...]]:
        """A connection of the test's own, without transactions."""
        return psycopg.connect(
            host=str(self.directory), user=ROLE, password=self.password, dbname=database, autocommit=True
        )

    def start(self) -> None:
        """Starts the server, and waits until it takes connections."""
        self._server = subprocess.Popen(
            [
                *(program("postgres"), "-D", str(self.directory / "data"), "-k", str(self.directory)),
                *("-c", "listen_addresses=", "-c", "fsync=off"),
            ],
            user=SYSTEM_USER,
            cwd=self.directory,
            stderr=(self.directory / "log").open("ab"),
        )
        assert processes.wait_until(self._answers, 30), (self.directory / "log").read_text()

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stops the server at once, as for a change of its configuration; a frozen one, too."""
        if self._server is not None:
            self.thaw()
            self._server.send_signal(signal.SIGINT)
            self._server.wait(30)
            self._server = None

    def ensure_running(self) -> None:
        """Whatever a test did to it, it answers."""
        if self._server is None:
            self.start()
        self.thaw()

    def set_read_only(self, read_only: bool) -> None:
        """Takes no writes, or takes them again: as seen by whoever connects from now on, as all have to."""
        with self.connect("postgres") as connection:
            state = "on" if read_only else "off"
            connection.execute(f"ALTER DATABASE hub SET default_transaction_read_only = {state}")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hub'")

    def freeze(self) -> None:
        """The server's machine is alive and the server does not answer, to old connections nor to new."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers again."""
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _pids(self) -> list[int]:
        assert self._server is not None
        postmaster = self._server.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]


@contextlib.contextmanager
def postgresql(parent: Path | None = None) -> Iterator[PostgreSQL]:
    """A server for as long as the context lasts."""
    # A short path: a socket's limit is 108 bytes.
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir=parent))
    server = PostgreSQL(directory)
    try:
        server.make()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
