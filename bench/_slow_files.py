"""A file system that passes everything on to a directory, each operation a while later.

A program of its own: ``_slow_files.py SOURCE TARGET SECONDS``, run as root; it serves until it is unmounted.
Needs mfusepy, and libfuse3 of the system. The kernel keeps names and attributes for a second, libfuse's own
default and less than clients of NFS do; what is not there it asks for each time.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import mfusepy  # type: ignore[import-not-found]  # only the venv that runs this has it

KEPT_SECONDS = 1.0
TIMES = ("st_atime", "st_ctime", "st_mtime")
ATTRIBUTES = (*TIMES, "st_gid", "st_ino", "st_mode", "st_nlink", "st_size", "st_uid")
BLOCKS = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_frsize")
OF_FILE_SYSTEM = (*BLOCKS, "f_favail", "f_ffree", "f_files", "f_flag", "f_namemax")


def slowly(kind: type[Any]) -> type[Any]:
    """Has each operation of the class begin late, with its path as it is in the source."""

    def late(operation: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(operation)
        def do(self: SlowFiles, path: str | None, *rest: Any) -> Any:
            time.sleep(self._delay)
            return operation(self, path and self._source + path, *rest)

        return do

    for name, operation in list(vars(kind).items()):
        if callable(operation) and not name.startswith("_"):
            setattr(kind, name, late(operation))
    return kind


@slowly
class SlowFiles(mfusepy.Operations):
    """The operations that sessions need; what is made belongs to who asks for it."""

    use_ns = True

    def __init__(self, source: str, delay: float) -> None:
        self._source, self._delay = source, delay

    def _give(self, path: str) -> None:
        uid, gid, _ = mfusepy.fuse_get_context()
        os.lchown(path, uid, gid)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.lstat(path) if fh is None else os.fstat(fh)
        return {name: getattr(status, name.replace("time", "time_ns")) for name in ATTRIBUTES}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(path)]

    def readlink(self, path: str) -> str:
        return os.readlink(path)

    def open(self, path: str, flags: int) -> int:
        return os.open(path, flags)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)
        self._give(path)
        return made

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(path if fh is None else fh, length)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        os.fsync(fh)

    def flush(self, path: str, fh: int) -> None:
        """Nothing is kept back."""

    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    def statfs(self, path: str) -> dict[str, int]:
        status = os.statvfs(path)
        return {name: getattr(status, name) for name in OF_FILE_SYSTEM}

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(path, mode)
        self._give(path)

    def symlink(self, path: str, target: str) -> None:
        os.symlink(target, path)
        self._give(path)

    def link(self, path: str, source: str) -> None:
        os.link(self._source + source, path)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def rmdir(self, path: str) -> None:
        os.rmdir(path)

    def rename(self, old: str, new: str) -> None:
        os.rename(old, self._source + new)

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(path, mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.lchown(path, uid, gid)

    def utimens(self, path: str, times: tuple[int, int]) -> None:
        os.utime(path, ns=times)


def main() -> None:
    """Serve until it is unmounted."""
    source, target, delay = sys.argv[1:]
    os.umask(0)
    mfusepy.FUSE(
        SlowFiles(source, float(delay)),
        target,
        foreground=True,
        allow_other=True,
        default_permissions=True,
        attr_timeout=KEPT_SECONDS,
        entry_timeout=KEPT_SECONDS,
        negative_timeout=0,
    )


if __name__ == "__main__":
    main()
