"""What a build keeps beside the version until it is done: by it an interrupted build is gone on with."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clusterhub.environments.schema import Specification
from clusterhub.environments.versions import Environments, cannot_change, hold, remove_tree
from clusterhub.errors import ClusterhubError

_LOCK = "lock"
_WANTED = "wanted"


@dataclass(frozen=True)
class Workshop:
    """One build's own directory."""

    directory: Path
    version: Path
    """Where the version comes to lie. It is made there: an environment cannot be moved."""
    continued: bool
    """True where an earlier build left it."""

    @property
    def log(self) -> Path:
        """All that uv says."""
        return self.directory / "uv.log"

    def requirements(self, kernel: str) -> Path:
        """What goes into the environment of a kernel, or (empty) of the server."""
        return self.directory / f"requirements{f'-{kernel}' if kernel else ''}.txt"

    def lock(self, kernel: str) -> Path:
        """The lock of a kernel's environment, or (empty) of the server's."""
        return self.directory / f"lock{f'-{kernel}' if kernel else ''}.txt"


def wanted(specification: Specification) -> str:
    """A digest of what is to be built: builds of the same can go on where one of them ended."""
    parts = [
        specification.environment.python,
        *specification.requirements,
        *(f"{name} {kernel.title} {kernel.packages}" for name, kernel in specification.kernels.items()),
        str(specification.source),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@contextmanager
def workshop(
    environments: Environments, specification: Specification, name: str, *, anew: bool
) -> Iterator[Workshop]:
    """The workshop of an unfinished build of the same, or a new one; ``name`` may be empty.

    Raises ClusterhubError where another process is at it, or the name is taken.
    """
    digest = wanted(specification)
    directory, continued = _unfinished(environments, digest, name, anew=anew)
    if directory is None:
        directory = _new(environments, digest, name)
    with (directory / _LOCK).open("a") as lock:
        os.set_inheritable(lock.fileno(), True)  # uv holds it as well, and goes on if we are killed
        if not hold(lock.fileno()):
            raise ClusterhubError(
                f"The version {directory.name} is being built right now.",
                where=str(directory),
                next="Wait for its end.",
            )
        yield Workshop(directory, environments.directory / directory.name, continued)
    # Not after an error: the next build goes on here.
    remove_tree(directory)


def _unfinished(
    environments: Environments, digest: str, name: str, *, anew: bool
) -> tuple[Path | None, bool]:
    if not environments.building.is_dir():
        return None, False
    for directory in sorted(environments.building.iterdir()):
        if name and directory.name != name:
            continue
        if not name and (anew or _digest_in(directory) != digest):
            continue
        if anew or _digest_in(directory) != digest:
            # The same name for something else: what is there is of no use.
            _ensure_nobody_builds(directory)
            remove_tree(environments.directory / directory.name)
            remove_tree(directory)
            return None, False
        return directory, True
    return None, False


def _ensure_nobody_builds(directory: Path) -> None:
    with (directory / _LOCK).open("a") as lock:
        if not hold(lock.fileno()):
            raise ClusterhubError(
                f"The version {directory.name} is being built right now.",
                where=str(directory),
                next="Wait for its end.",
            )


def _digest_in(directory: Path) -> str:
    try:
        return (directory / _WANTED).read_text(encoding="ascii")
    except OSError:
        return ""


def _new(environments: Environments, digest: str, name: str) -> Path:
    """A directory for the build. Its name is taken once it is made, so that two builds never share one."""
    today = time.strftime("%Y-%m-%d")
    names = iter((name,)) if name else (f"{today}.{n}" if n > 1 else today for n in range(1, 1000))
    try:
        environments.building.mkdir(parents=True, exist_ok=True)
        for each in names:
            if os.path.lexists(environments.directory / each):
                continue
            try:
                (environments.building / each).mkdir()
            except FileExistsError:
                continue
            (environments.building / each / _WANTED).write_text(digest, encoding="ascii")
            return environments.building / each
    except OSError as error:
        raise cannot_change(environments.directory, error) from None
    raise ClusterhubError(
        f"There is a version {name!r} already.",
        where=str(environments.directory / name),
        next="Give another --name, or none.",
    )
