"""What a home directory on a shared file system asks of Jupyter: settings of a session, and defaults only.

Each with its reason: ``docs/reference/session-settings.md``. What a site configures of Jupyter itself
(``jupyter_server_config`` in the environment or below ``/etc/jupyter``) counts for more.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HISTORY = "--HistoryManager.hist_file=:memory:"
"""For kernels of IPython: the history of a session stays in its memory."""
MOST_SIGNATURES = 5000
"""Kept; beyond, the older half is forgotten. A signature is an empty file."""


def defaults(runtime: str, *, sqlite_in_home: bool) -> dict[str, dict[str, Any]]:
    """Values of Jupyter's settings, by class and trait. Pure."""
    found: dict[str, dict[str, Any]] = {
        "FileContentsManager": {"use_atomic_writing": True},
        "AsyncFileContentsManager": {"use_atomic_writing": True},
        "KernelSpecManager": {"ensure_native_kernel": False},
    }
    if not sqlite_in_home:
        found["BaseFileIdManager"] = {"db_path": os.path.join(runtime, "file_id_manager.db")}
        found["SQLiteYStore"] = {"db_path": os.path.join(runtime, "ystore.db")}
    return found


def server_class(base: type[Any], runtime: str, *, sqlite_in_home: bool) -> type[Any]:
    """That Jupyter Server with these settings."""
    prefer_people_over_environment()

    class Server(base):
        """See `server_class`."""

        def init_server_extensions(self) -> None:
            # Extensions take the server's configuration over here.
            configure(self, runtime, sqlite_in_home=sqlite_in_home)
            super().init_server_extensions()

        def init_configurables(self) -> None:
            super().init_configurables()
            if not sqlite_in_home:
                keep_history_in_memory(self.kernel_manager)

    return Server


def configure(server: Any, runtime: str, *, sqlite_in_home: bool) -> None:
    """Gives a Jupyter Server, before it makes anything, the settings that nobody else has made."""
    from traitlets.config import Config

    wanted = defaults(runtime, sqlite_in_home=sqlite_in_home)
    notary = server.config.get("NotebookNotary", {})
    if not sqlite_in_home and "db_file" not in notary:
        data = notary.get("data_dir") or server.data_dir
        wanted["NotebookNotary"] = {"store_factory": lambda: signature_store(data)}
    missing = {
        name: {trait: value for trait, value in traits.items() if trait not in server.config.get(name, {})}
        for name, traits in wanted.items()
    }
    server.update_config(Config({name: traits for name, traits in missing.items() if traits}))


def prefer_people_over_environment() -> None:
    """What somebody has installed for themselves counts for more than what the environment has.

    Jupyter decides that by who owns the environment, with one look more at each search.
    """
    from jupyter_core import paths

    paths.prefer_environment_over_user = lambda: False


def keep_history_in_memory(kernels: Any) -> None:
    """Has ``kernels``, a Jupyter Server's, start IPython without its history file."""
    make = kernels.kernel_manager_factory

    def make_kernel(*arguments: Any, **keywords: Any) -> Any:
        kernel = make(*arguments, **keywords)
        command = kernel.format_kernel_cmd
        kernel.format_kernel_cmd = lambda *given, **named: without_history(command(*given, **named))
        return kernel

    kernels.kernel_manager_factory = make_kernel


def without_history(command: Sequence[str]) -> list[str]:
    """The command of a kernel; where it is IPython's, with its history in memory. Pure."""
    is_ipython = any(
        before == "-m" and word.partition(".")[0] in ("ipykernel", "ipykernel_launcher")
        for before, word in itertools.pairwise(command)
    )
    return [*command, HISTORY] if is_ipython else list(command)


def signature_store(data: str) -> Any:
    """Where Jupyter keeps which notebooks are trusted: a file for each instead of a database for all."""
    from nbformat.sign import SignatureStore

    class Store(SignatureStore):
        """See `signature_store`."""

        def __init__(self) -> None:
            self.signatures = Signatures(Path(data))

        def store_signature(self, digest: str, algorithm: str) -> None:
            self.signatures.add(digest, algorithm)

        def check_signature(self, digest: str, algorithm: str) -> bool:
            return self.signatures.has(digest, algorithm)

        def remove_signature(self, digest: str, algorithm: str) -> None:
            self.signatures.remove(digest, algorithm)

    return Store()


class Signatures:
    """Signatures of notebooks as empty files: nothing of it needs a lock, and none can be half written."""

    def __init__(self, data: Path) -> None:
        """``data`` is Jupyter's data directory."""
        self.directory = data / "clusterhub-signatures"
        self.database = data / "nbsignatures.db"
        """That of other Jupyters of this person's, such as of ``jupyter trust``."""

    def _path(self, digest: str, algorithm: str) -> Path:
        return self.directory / f"{algorithm}-{digest}"

    def add(self, digest: str, algorithm: str) -> None:
        """Remember it, as long as there is room for it."""
        with contextlib.suppress(OSError):  # a home that is full; running a notebook makes it trusted, too
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path(digest, algorithm).touch(mode=0o600)
            self._forget_old_ones()

    def _forget_old_ones(self) -> None:
        with os.scandir(self.directory) as entries:
            known = list(entries)
        if len(known) > MOST_SIGNATURES:
            for entry in sorted(known, key=lambda each: each.stat().st_mtime)[: MOST_SIGNATURES // 2]:
                os.unlink(entry.path)

    def has(self, digest: str, algorithm: str) -> bool:
        """Whether it is known here, or to another Jupyter of this person's."""
        return self._path(digest, algorithm).exists() or self._is_in_database(digest, algorithm)

    def _is_in_database(self, digest: str, algorithm: str) -> bool:
        if not self.database.exists():
            return False
        try:
            # Immutable: without a lock, on which a shared file system may hang.
            reading = sqlite3.connect(f"{self.database.as_uri()}?immutable=1", uri=True)
            try:
                question = "SELECT 1 FROM nbsignatures WHERE algorithm = ? AND signature = ?"
                return reading.execute(question, (algorithm, digest)).fetchone() is not None
            finally:
                reading.close()
        except sqlite3.Error:
            return False  # cut off, or being written at this moment

    def remove(self, digest: str, algorithm: str) -> None:
        """Forget it."""
        with contextlib.suppress(OSError):  # it was not there
            self._path(digest, algorithm).unlink()
