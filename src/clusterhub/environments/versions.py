"""The directory that holds the versions of a site's environment, and what is in it.

==================== =============================================================================
``NAME/``            a version that was built here, complete once ``NAME/clusterhub/manifest.json``
                     is there
``NAME``             as a link: a prefix that was adopted, its manifest is ``.adopted/NAME.json``
``current``          a link to the active version
``previous``         a link to the one before, to which a rollback would go
``.building/NAME/``  what a build keeps until it is done; the version is unfinished while it is there
``.checked/NAME``    the last check of a version
``.packed/``         images of versions
``.history``         which version was activated when, a line of JSON for each
``.lock``            held while something is activated, adopted or removed
==================== =============================================================================
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from clusterhub.environments import manifest as manifests
from clusterhub.environments.manifest import Manifest
from clusterhub.errors import ClusterhubError
from clusterhub.site.versions import PREVIOUS

OWN = "clusterhub"
"""The directory in a version that holds its manifest, its locks and what it was built from."""
REMOVING = ".removing-"
"""Begins the name of a version that is being removed."""


@dataclass(frozen=True)
class Version:
    """One version as it lies there."""

    name: str
    path: Path
    manifest: Manifest | None
    """None while it is unfinished."""
    active: bool

    @property
    def directory(self) -> Path:
        """The version itself, behind all links: what a session says that it runs in."""
        return Path(os.path.realpath(self.path))

    @property
    def is_adopted(self) -> bool:
        """True for a prefix that somebody else made."""
        return self.path.is_symlink()


@dataclass(frozen=True)
class Environments:
    """A site's versions: the directory that holds them, and the link to the active one."""

    directory: Path
    link: Path

    @classmethod
    def of_link(cls, link: Path) -> Environments:
        """Those beside the link that site.toml names.

        Raises ClusterhubError where site.toml names an environment itself instead of a link.
        """
        if link.is_dir() and not link.is_symlink():
            raise ClusterhubError(
                "site.toml names an environment itself, so none can be activated in its place.",
                where=str(link),
                next=f'Name a link beside the versions: path = "{link.parent}/current" in [environment].',
            )
        return cls(link.parent, link)

    @property
    def building(self) -> Path:
        """Where builds keep what they need until they are done."""
        return self.directory / ".building"

    @property
    def packed(self) -> Path:
        """Where the images of versions lie."""
        return self.directory / ".packed"

    def manifest_path(self, name: str) -> Path:
        """The manifest of a version."""
        if (self.directory / name).is_symlink():
            return self.directory / ".adopted" / f"{name}.json"
        return self.directory / name / OWN / "manifest.json"

    def active(self) -> str:
        """The name of the active version; empty where there is none, or the link leads elsewhere."""
        try:
            target = Path(os.readlink(self.link))  # noqa: PTH115 - the text, not what it leads to
        except OSError:
            return ""
        path = target if target.is_absolute() else self.link.parent / target
        return path.name if path.parent == self.directory else ""

    def versions(self) -> list[Version]:
        """All versions, finished or not, the newest first. Raises ClusterhubError."""
        active = self.active()
        try:
            names = [each.name for each in self.directory.iterdir()]
            unfinished = {each.name for each in self.building.iterdir()} if self.building.is_dir() else set()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ClusterhubError(
                f"The environments cannot be listed: {error.strerror}.", where=str(self.directory)
            ) from None
        found = []
        for name in {*names, *unfinished}:
            path = self.directory / name
            if name.startswith(".") or path == self.link or (name == PREVIOUS and path.is_symlink()):
                continue
            manifest = None if name in unfinished else manifests.read(self.manifest_path(name))
            if manifest is not None or name in unfinished:
                found.append(Version(name, path, manifest, name == active))
        return sorted(found, key=lambda each: (_age(each), each.name), reverse=True)

    def version(self, name: str, *, finished: bool = True) -> Version:
        """The version of that name. Raises ClusterhubError where there is none, or none that is finished."""
        known = self.versions()
        for each in known:
            if each.name == name and finished and each.manifest is None:
                raise ClusterhubError(
                    f"The version {name} is unfinished.",
                    where=str(each.path),
                    next="Build again with the same file, which goes on with it; or remove it.",
                )
            if each.name == name:
                return each
        names = ", ".join(each.name for each in known) or "none yet; build one"
        raise ClusterhubError(
            f"There is no version {name!r}.", where=str(self.directory), next=f"There are: {names}."
        )

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Only one changes what is here at a time. Raises ClusterhubError where nothing can be changed."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            lock = (self.directory / ".lock").open("a")
        except OSError as error:
            raise cannot_change(self.directory, error) from None
        with lock:
            hold(lock.fileno(), wait=True)
            yield


def hold(descriptor: int, *, wait: bool = False) -> bool:
    """Take the lock of an open file; False where another process has it. It ends with the process."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        # A file system without locks: the operator must see to it that one command runs at a time.
        return error.errno in (errno.ENOLCK, errno.EOPNOTSUPP)
    return True


def cannot_change(directory: Path, error: OSError) -> ClusterhubError:
    """That nothing can be written there, in words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ClusterhubError(
            "The disk is full.",
            where=str(error.filename or directory),
            next="Make room, then try again; what is active is as it was.",
        )
    return ClusterhubError(
        f"The environments cannot be changed: {error.strerror or error}.",
        where=str(error.filename or directory),
        next=f"Run this as the account that owns {directory}.",
    )


def remove_tree(path: Path) -> None:
    """Remove a file, or a directory with read-only ones in it; fine if it is not there. Raises OSError."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    for directory, _, _ in os.walk(path):
        with suppress(PermissionError):
            os.chmod(directory, stat.S_IRWXU)  # noqa: PTH101 - as os.walk gives it
    if path.exists():
        shutil.rmtree(path)


def _age(version: Version) -> float:
    if version.manifest is not None:
        return version.manifest.made_at
    try:
        return version.path.stat().st_mtime
    except OSError:
        return 0.0
