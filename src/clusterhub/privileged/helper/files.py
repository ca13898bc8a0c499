"""The session directory: everybody's own in it, their tickets and logs.

Descriptors that are opened here stay so: the process ends with the request, and programs do not get them.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from typing import Any

from clusterhub.privileged.helper.checks import LOG_NAME
from clusterhub.privileged.helper.person import Actor
from clusterhub.privileged.helper.refusal import Refused, refused_with

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = 0o700
_WRITABLE = 0o022  # by others than the owner


def open_session_directory(actor: Actor) -> int:
    """A descriptor of the directory that holds everybody's; `Refused` if others may rename things in it."""
    path = actor.configuration.session_directory
    with refused_with("the session directory cannot be opened", path, "make it, owned by root, mode 0755"):
        descriptor = os.open(path, _DIRECTORY)
    status = os.fstat(descriptor)
    shared = status.st_mode & _WRITABLE and not status.st_mode & stat.S_ISVTX
    if status.st_uid not in (0, actor.caller.uid) or shared:
        what = "others may rename what lies in the session directory"
        raise Refused(what, path, "chown root, chmod 0755 it")
    return descriptor


def open_person_directory(parent: int, actor: Actor, *, give_away: bool = False) -> int:
    """A descriptor of the person's own directory: really a directory, really theirs.

    ``give_away``: one that root made (just now, or before a crash) becomes theirs.
    """
    account = actor.account
    where = f"{actor.configuration.session_directory}/{account.pw_name}"
    with refused_with("not a directory of theirs", where, "look who put it there"):
        try:
            descriptor = os.open(account.pw_name, _DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            raise Refused("this person has had no session yet", where, "start one", "missing") from None
    if give_away and os.fstat(descriptor).st_uid == 0:
        os.fchown(descriptor, account.pw_uid, account.pw_gid)
    if os.fstat(descriptor).st_uid != account.pw_uid:
        raise Refused("the person's session directory belongs to another account", where, "look who made it")
    return descriptor


def ensure_person_directory(actor: Actor) -> None:
    """The person's directory exists, is theirs, and nobody else can look into it."""
    root = actor.configuration.session_directory
    next_step = "make it by hand, mode 1777 if root is nobody on this file system"
    refused = refused_with("the session directory cannot be made", root, next_step)
    with refused, contextlib.suppress(FileExistsError):
        os.mkdir(root, 0o755)
    name = actor.account.pw_name
    parent = open_session_directory(actor)
    try:
        os.mkdir(name, _PRIVATE, dir_fd=parent)
    except FileExistsError:
        pass
    except OSError:
        # Root is nobody on a file system exported with root_squash; in a sticky one the person may.
        actor.call(lambda: os.mkdir(name, _PRIVATE, dir_fd=parent))
    # In a directory where everybody may make things, root's was not made by us.
    ours = actor.change_account and not os.fstat(parent).st_mode & _WRITABLE
    descriptor = open_person_directory(parent, actor, give_away=ours)
    if os.fstat(descriptor).st_mode & 0o077:
        actor.call(lambda: os.fchmod(descriptor, _PRIVATE))


def in_person_directory(actor: Actor, work: Callable[[int], Any]) -> Any:
    """What ``work`` returns when the person does it, given a descriptor of their session directory."""
    return actor.call(lambda: work(open_person_directory(open_session_directory(actor), actor)))


def write_ticket(directory: int, name: str, text: str) -> None:
    """A fresh 0600 file with that text; whatever had the name before is gone."""
    remove_file(directory, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def remove_file(directory: int, name: str) -> None:
    """The file is not there; fine if it never was."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def tail(directory: int, name: str, count: int) -> str:
    """The last bytes of a regular file of that name, as text."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with refused_with("the log cannot be read", name, kind="failed"):
        try:
            descriptor = os.open(name, flags, dir_fd=directory)
        except FileNotFoundError:
            raise Refused("there is no such log", name, kind="missing") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("the log is not a regular file", name)
        file.seek(max(0, status.st_size - count))
        return file.read(count).decode(errors="replace")


def list_logs(directory: int) -> list[dict[str, Any]]:
    """Name, size in bytes and time of last change of each log, newest first, 1,000 at most."""
    found: list[dict[str, Any]] = []
    for name in os.listdir(directory):
        if LOG_NAME.fullmatch(name):
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                found.append({"name": name, "bytes": status.st_size, "modified_at": status.st_mtime})
    return sorted(found, key=lambda log: log["modified_at"], reverse=True)[:1000]
