"""`clusterhub environment pack`: one squashfs image of a version, beside it.

Reading a version from a file system that nodes share costs a round trip for each of thousands of files; an
image is one file. ``.packed/NAME.squashfs`` is the image, ``.packed/NAME.json`` what is known of it: a
session (``packed.sh`` in `clusterhub.session`) believes an image only if it has the size that is written
there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from clusterhub.environments.versions import Environments, Version, cannot_change, hold
from clusterhub.errors import ClusterhubError

MKSQUASHFS = "mksquashfs"
COMPRESSION = 15
"""Zstandard's level; what it costs is paid when a version is packed, not when it is read."""
_LOCK = ".lock"
_BLOCK = 2**22
_FULL = "No space left on device"


@dataclass(frozen=True)
class Image:
    """What is known of a version's image."""

    size: int
    """Bytes."""
    unpacked: int
    """Bytes of what is in it, on a disk."""
    sha256: str
    made_at: float
    """Seconds since the epoch."""


def image_path(environments: Environments, name: str) -> Path:
    """Where the image of a version lies."""
    return environments.packed / f"{name}.squashfs"


def image_of(environments: Environments, name: str) -> Image | None:
    """What is known of the image of a version; None where there is none that is whole."""
    try:
        kept = json.loads(_record(environments, name).read_text(encoding="ascii"))
        image = Image(**kept)
        return image if image_path(environments, name).stat().st_size == image.size else None
    except (OSError, ValueError, TypeError):
        return None


def pack(environments: Environments, name: str, step: Callable[[str], object]) -> tuple[Image, bool]:
    """Make the image of a version; returns it, and whether it had to be made.

    ``step`` hears what is done. An image that is whole is left as it is: sessions read from it. Raises
    ClusterhubError.
    """
    version = environments.version(name)
    _refuse_adopted(version)
    try:
        with _only_one(environments):
            there = image_of(environments, name)
            if there is not None:
                step(f"comparing {image_path(environments, name)} with what was written down of it")
                if _digest(image_path(environments, name)) == there.sha256:
                    return there, False
            step(f"packing {version.path}")
            return _make(environments, version), True
    except OSError as error:
        raise cannot_change(environments.packed, error) from None
    except KeyboardInterrupt:
        raise ClusterhubError(
            "Interrupted. Sessions read the version from its directory, or from the image that it had.",
            next=f"Begin anew: clusterhub environment pack {name}",
        ) from None


def forget_image(environments: Environments, name: str) -> None:
    """Remove the image of a version, if there is one. Raises OSError."""
    for path in (_record(environments, name), image_path(environments, name)):
        path.unlink(missing_ok=True)


def _refuse_adopted(version: Version) -> None:
    if version.is_adopted:
        raise ClusterhubError(
            f"The version {version.name} was adopted: what changes in it would not change in an image.",
            where=str(version.directory),
            next="Build a version with the same packages, which nobody can change, and pack that.",
        )


def _record(environments: Environments, name: str) -> Path:
    return environments.packed / f"{name}.json"


@contextmanager
def _only_one(environments: Environments) -> Iterator[None]:
    environments.packed.mkdir(exist_ok=True)
    with (environments.packed / _LOCK).open("a") as lock:
        os.set_inheritable(lock.fileno(), True)  # mksquashfs holds it as well, and goes on if we are killed
        if not hold(lock.fileno()):
            raise ClusterhubError(
                "A version is being packed right now.",
                where=str(environments.packed),
                next="Wait for its end.",
            )
        yield


def _make(environments: Environments, version: Version) -> Image:
    assert version.manifest is not None  # noqa: S101 - a finished version has one, which tells mypy
    path = image_path(environments, version.name)
    scratch, record = path.with_name(f".{path.name}.new"), _record(environments, version.name)
    made_at = int(version.manifest.made_at)
    before = os.umask(0o022)
    try:
        scratch.unlink(missing_ok=True)
        _run(version.path, scratch, made_at)
        with scratch.open("rb") as file:
            os.fsync(file.fileno())
        scratch.chmod(0o444)
        size = scratch.stat().st_size
        image = Image(size, _extent_on_disk(version.path), _digest(scratch), time.time())
        described = record.with_name(f".{record.name}.new")
        described.write_text(json.dumps(asdict(image)) + "\n", encoding="ascii")
        with environments.changing():
            environments.version(version.name)  # not removed meanwhile
            # An image without its record is not believed, and neither is one with another's.
            scratch.replace(path)
            described.replace(record)
    finally:
        os.umask(before)
        scratch.unlink(missing_ok=True)
    return image


def _run(source: Path, target: Path, made_at: int) -> None:
    """The same version gives the same bytes: files keep their times, and the image has the version's."""
    program = shutil.which(MKSQUASHFS)
    if program is None:
        raise ClusterhubError(
            f"There is no {MKSQUASHFS} on this machine.",
            next="Install squashfs-tools: apt install squashfs-tools, or dnf install squashfs-tools.",
        )
    argv = [program, str(source), str(target), "-noappend", "-comp", "zstd", "-all-root", "-no-xattrs"]
    argv += ["-mkfs-time", str(made_at), "-quiet", "-no-progress", "-exit-on-error"]
    argv += ["-Xcompression-level", str(COMPRESSION)]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        close_fds=False,
    )
    if done.returncode == 0:
        return
    said = (done.stdout + done.stderr).strip()
    if _FULL in said:
        raise ClusterhubError(
            "The disk is full.",
            where=str(target.parent),
            next="Make room, then pack again; sessions read the version from its directory.",
        )
    raise ClusterhubError(
        f"{MKSQUASHFS} failed: {said.splitlines()[-1] if said else f'exit code {done.returncode}'}",
        where=str(source),
        next="It needs squashfs-tools 4.4 or newer, with zstd.",
        log=tuple(said.splitlines()[-10:]),
    )


def _extent_on_disk(path: Path) -> int:
    """Bytes that a copy takes on a disk with the usual blocks of 4 KiB."""
    total = 0
    for directory, names, files in os.walk(path):
        for name in (*names, *files):
            total += -(-os.lstat(os.path.join(directory, name)).st_size // 4096) * 4096  # noqa: PTH118 - as os.walk gives it
    return total


def _digest(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            whole.update(block)
    return whole.hexdigest()
