"""TOML files that people write: read as text, then as tables, with words for whatever keeps them from it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterhub.errors import ClusterhubError
from clusterhub.site.problems import FileError, Problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]  # installed on Python 3.10 only

LARGEST_FILE = 4 * 2**20


@dataclass(frozen=True)
class Document:
    """One kind of file that people write, in the words of its messages."""

    name: str
    """Such as ``site file``."""
    usual: str
    """The name that such a file has, such as ``site.toml``."""
    naming: str
    """What to do where it is not there."""
    error: Callable[[Path, Iterable[Problem]], FileError]


def tables_of(text: str, path: Path, document: Document) -> dict[str, Any]:
    """What TOML gives. Raises the document's error for what is not TOML, `ClusterhubError` for too much."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        from clusterhub.site.syntax import syntax_problem

        raise document.error(path, [syntax_problem(text, str(error))]) from None
    except RecursionError:
        raise ClusterhubError(
            "tables or lists are nested too deeply",
            where=str(path),
            next="write the file with fewer brackets",
        ) from None
    return data


def without_marks(text: str) -> str:
    """The text as TOML knows it: a byte order mark and Windows' line ends are what editors leave."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def text_of(path: Path, document: Document) -> str:
    """The file's text. Raises `ClusterhubError` where it cannot be read."""
    name = document.name
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ClusterhubError(f"there is no such {name}", where=str(path), next=document.naming) from None
    except IsADirectoryError:
        raise ClusterhubError(
            f"this is a directory, not {'an' if name[0] in 'aeiou' else 'a'} {name}",
            where=str(path),
            next=f"name the file in it: {path}/{document.usual}",
        ) from None
    except PermissionError:
        raise ClusterhubError(
            f"this account may not read the {name}",
            where=str(path),
            next="give its group the right to read it and to enter the directories above it",
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ClusterhubError(
            f"the {name} cannot be read: {reason}", where=str(path), next="see what the path leads to"
        ) from None
    if len(content) > LARGEST_FILE:
        raise ClusterhubError(
            f"the {name} is larger than 4 MiB", where=str(path), next="see whether it is the right file"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ClusterhubError(
            f"the {name} is not text in UTF-8: byte 0x{content[error.start]:02x} in line {line}",
            where=f"{path}:{line}",
            next="save it as UTF-8",
        ) from None
