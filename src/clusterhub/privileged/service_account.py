"""The account that a hub without root runs as: that there is one, what it owns, and what it can read."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from clusterhub.privileged.installation import InstallationError, check_account_name

USERADD = "/usr/sbin/useradd"
ABOUT = "clusterhub"
"""The comment of the account that is made here (its GECOS field)."""

WRITABLE_BY_OTHERS = 0o022
OWN = 0o700

# Run as the account: what it may do is the kernel's to say, with access lists and all.
_LOOK = "import os, sys; print(*[path for path in sys.argv[1:] if not os.access(path, os.R_OK)], sep='\\n')"


def ensure_account(name: str, home: Path) -> bool:
    """A system account of that name exists, with a group of its own and no shell. True if it was made.

    ``home`` is not made. Raises InstallationError, also where the name is that of a second root.
    """
    check_account_name(name)
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        _make_account(name, home)
        return True
    if account.pw_uid == 0:
        raise InstallationError(
            "The hub would have all of root's rights as this account.",
            where=name,
            next="Name another one with --account.",
        )
    return False


def _make_account(name: str, home: Path) -> None:
    command = [USERADD, "--system", "--user-group", "--no-create-home", "--home-dir", str(home)]
    command += ["--shell", "/usr/sbin/nologin", "--comment", ABOUT, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallationError(f"useradd could not be run: {error}.", where=USERADD) from None
    if done.returncode != 0:
        raise InstallationError(
            "The account could not be made.",
            where=name,
            next="Make it yourself, as a system account without a shell, and run this again.",
            log=tuple(done.stderr.splitlines()[-5:]),
        )


def ensure_own_directory(path: Path, account: pwd.struct_passwd) -> bool:
    """The directory is there and the account's, with what a hub that was root left in it. True if changed.

    A new one is for the account alone. Raises InstallationError where it is somebody else's.
    """
    try:
        made = not path.exists()
        if made:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            path.mkdir(mode=OWN)
        status = path.stat()
        if status.st_uid == account.pw_uid:
            return False
        _refuse_foreign(path, status)
        for entry in _roots_own(path):
            os.chown(entry, account.pw_uid, account.pw_gid, follow_symlinks=False)
        # Last: as long as it is root's, nobody else can put anything into it, and a second run goes on.
        os.chown(path, account.pw_uid, account.pw_gid)
    except OSError as error:
        raise InstallationError(
            f"The directory cannot be made the account's: {error.strerror}.",
            where=error.filename or str(path),
            next="Run this as root.",
        ) from None
    return True


def ensure_roots_directory(path: Path) -> bool:
    """The directory is there, and only root can put anything into it. True if it was made."""
    made = not path.exists()
    if made:
        path.mkdir(mode=0o755, parents=True)
    _refuse_foreign(path, path.stat())
    return made


def _refuse_foreign(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode) and status.st_uid == 0 and not status.st_mode & WRITABLE_BY_OTHERS:
        return
    raise InstallationError(
        "This directory is another account's, or others may write it.",
        where=str(path),
        next="Look whose it is. `chown` it, with what is in it, or name another one in site.toml.",
    )


def _roots_own(directory: Path) -> Iterator[Path]:
    """What is root's in there, but files that have another name elsewhere."""
    for parent, directories, files in os.walk(directory, topdown=False):
        for name in (*directories, *files):
            entry = Path(parent, name)
            status = entry.lstat()
            linked = not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1
            if status.st_uid == 0 and not linked:
                yield entry


def check_readable(account: pwd.struct_passwd, paths: Sequence[Path]) -> None:
    """Raises InstallationError for the first of them that the account cannot read."""
    try:
        done = subprocess.run(
            [sys.executable, "-IS", "-c", _LOOK, *map(str, paths)],
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            cwd="/",
            env={},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        unreadable = done.stdout.split("\n")[0] if done.returncode == 0 else sys.executable
    except PermissionError:
        unreadable = sys.executable
    if unreadable:
        raise InstallationError(
            f"The account {account.pw_name} cannot read this, which its hub needs.",
            where=unreadable,
            next=f"Let {account.pw_name} read it, and enter the directories above it; where it holds a "
            f"secret by its group: chgrp {account.pw_name}, chmod 0640.",
        )
