"""What is written down of an environment when it is complete; a version without it is unfinished."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterhub.environments.curated import name_of
from clusterhub.errors import ClusterhubError

FORMAT = 1
"""Raised when a field changes its meaning."""


@dataclass(frozen=True)
class Package:
    """An installed package; its size in bytes, compiled files with it."""

    name: str
    version: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What an environment is, and who made it from what."""

    name: str
    made_at: float
    """Seconds since the epoch."""
    account: str
    """Of whoever built or adopted it."""
    host: str
    clusterhub: str
    """The version of clusterhub that did it."""
    python: str
    """Version of its Python."""
    interpreter: str
    """The program behind all links."""
    lock: str
    """SHA-256 of all its locks; empty where it was adopted."""
    adopted: str
    """The prefix where it lies, where it was not built here; else empty."""
    files: int
    size: int
    """Bytes."""
    packages: tuple[Package, ...]
    kernels: Mapping[str, tuple[Package, ...]]
    """Packages of the kernels that have their own."""

    def as_text(self) -> str:
        """The manifest as it is kept."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def read(path: Path) -> Manifest | None:
    """The manifest in that file; None where there is none. Raises ClusterhubError for one that is no good."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.pop("format") != FORMAT:
            raise ValueError("another format")
        kernels = {name: _packages(each) for name, each in kept.pop("kernels").items()}
        return Manifest(packages=_packages(kept.pop("packages")), kernels=kernels, **kept)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ClusterhubError(
            f"The manifest of an environment cannot be read: {error.strerror}.", where=str(path)
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ClusterhubError(
            "The manifest of an environment is not one of this version of clusterhub.",
            where=str(path),
            next="Build the environment anew with this version, or use the clusterhub that built it.",
        ) from None


def write(manifest: Manifest, path: Path) -> None:
    """Write it whole or not at all."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(manifest.as_text(), encoding="utf-8")
    with scratch.open("rb") as file:
        os.fsync(file.fileno())
    scratch.chmod(0o444)
    scratch.replace(path)


def packages_in(directory: Path) -> tuple[Package, ...]:
    """The packages of a site-packages directory, by name."""
    found = {}
    for distribution in importlib.metadata.distributions(path=[str(directory)]):
        name = distribution.metadata["Name"]
        if name:
            found[name_of(name)] = Package(name, distribution.version, _size(distribution.files or ()))
    return tuple(found[name] for name in sorted(found))


def _size(files: Iterable[importlib.metadata.PackagePath]) -> int:
    size = 0
    for file in files:
        path = Path(str(file.locate()))
        compiled = path.parent.glob(f"__pycache__/{path.stem}.*.pyc") if path.suffix == ".py" else ()
        for each in (path, *compiled):
            # Its record may name what an installer did not keep.
            size += each.stat().st_size if each.exists() else 0
    return size


def _packages(kept: list[dict[str, Any]]) -> tuple[Package, ...]:
    return tuple(Package(**each) for each in kept)
