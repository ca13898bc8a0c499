"""Files that hold one secret each, made on first use."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from clusterhub.errors import ClusterhubError

SHORTEST = 32
"""Characters; what is shorter was not made here, or not to its end."""


def ensure_secret(path: Path) -> str:
    """The secret in that file, made on first use, readable by this account only.

    Raises ClusterhubError for a file that can be neither read nor made, and for one that holds too little,
    such as one that a crash left empty: a secret that all know proves nothing.
    """
    secret = ensure_text(path, lambda: secrets.token_hex(32) + "\n")
    if len(secret) < SHORTEST:
        raise unusable(path, f"has {len(secret)} characters, and a secret at least {SHORTEST}")
    return secret


def ensure_text(path: Path, make: Callable[[], str]) -> str:
    """The text in that file, made on first use, readable by this account only.

    Of several processes that make it at once, one does, and the others read it. Raises ClusterhubError for a
    file that can be neither read nor made.
    """
    try:
        try:
            return _read(path)
        except FileNotFoundError:
            _place(path, make(), os.link)
            return _read(path)
    except OSError as error:
        raise _not_possible(path, error) from None


def replace_text(path: Path, text: str) -> None:
    """Makes that the text of the file, readable by this account only. Raises ClusterhubError."""
    try:
        _place(path, text, os.replace)
    except OSError as error:
        raise _not_possible(path, error) from None


def _not_possible(path: Path, error: OSError) -> ClusterhubError:
    return ClusterhubError(
        f"The file of a secret can be neither read nor made: {error.strerror}.",
        where=str(path),
        next="See that the disk is not full, and that the hub's account may write there.",
    )


def unusable(path: Path, why: str) -> ClusterhubError:
    """What to say of a secret that cannot be used."""
    return ClusterhubError(
        f"The file of a secret {why}.",
        where=str(path),
        next="Delete the file: the hub makes it anew when it is started.",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        raise unusable(path, "is not plain text") from None


def _place(path: Path, text: str, name: Callable[[str, Path], None]) -> None:
    """Writes a new file, which appears under its name only once it is whole and on the disk.

    ``name`` gives it that name: `os.link` where nothing must be there, else `os.replace`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # its mode is 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        name(beside, path)
    except FileExistsError:
        return  # another process was quicker
    finally:
        Path(beside).unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
