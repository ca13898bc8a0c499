"""A finished environment: readable by everybody, writable by nobody, counted."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_EXECUTE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


@dataclass(frozen=True)
class Extent:
    """How much there is: files (links are files), and their bytes."""

    files: int
    size: int


def seal(path: Path) -> Extent:
    """Everybody may read all and run what can be run; nobody may write. Raises OSError."""
    files = size = 0
    for directory, names, inside in os.walk(path, topdown=False):
        for name in (*names, *inside):
            each = Path(directory, name)
            status = each.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue  # it has been the one that is walked
            files += 1
            size += status.st_size
            if not stat.S_ISLNK(status.st_mode):
                each.chmod(_READ | (_EXECUTE if status.st_mode & stat.S_IXUSR else 0))
        Path(directory).chmod(_READ | _EXECUTE)
    return Extent(files, size)


def extent(path: Path) -> Extent:
    """How much there is, nothing changed. Raises OSError."""
    files = size = 0
    for directory, names, inside in os.walk(path):
        for name in (*names, *inside):
            status = Path(directory, name).lstat()
            if not stat.S_ISDIR(status.st_mode):
                files += 1
                size += status.st_size
    return Extent(files, size)
