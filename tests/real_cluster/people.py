"""The machine's users and groups that belong to the cluster."""

from __future__ import annotations

import grp
import pwd
import shutil
import subprocess
from collections.abc import Sequence

from clusterhub.errors import ClusterhubError
from clusterhub.privileged.service_account import ABOUT, ensure_account

from . import processes
from .layout import DATA, PEOPLE, SERVICE_ACCOUNT, SHARED_GROUP, Person
from .state import State

GECOS = "clusterhub test cluster"
"""The comment of each user that was made here: nobody else's user is ever removed."""


def user_exists(name: str) -> bool:
    """Whether the machine knows the user."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def group_exists(name: str) -> bool:
    """Whether the machine knows the group."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def refuse_foreign(state: State, people: Sequence[Person] = PEOPLE) -> None:
    """Raise where a user, group or home directory of our names is there that `up` did not make."""
    for person in people:
        if person.name in state.users:
            continue
        for what, there in (
            (f"a user {person.name}", user_exists(person.name)),
            (f"a group {person.name}", group_exists(person.name)),
            (f"a directory {person.home}", person.home.exists()),
        ):
            if there:
                raise ClusterhubError(
                    f"This machine has {what} already, which this cluster did not make.",
                    where=f"cluster user {person.name}",
                    next="Use a machine without it, or remove it yourself if it is not needed.",
                )
    if SHARED_GROUP not in state.groups and group_exists(SHARED_GROUP):
        raise ClusterhubError(
            f"This machine has a group {SHARED_GROUP} already, which this cluster did not make.",
            next="Use a machine without it, or remove it yourself if it is not needed.",
        )


def ensure(state: State, people: Sequence[Person] = PEOPLE) -> None:
    """Make the users and groups, recording each before it is made."""
    if not group_exists(SHARED_GROUP):
        state.groups.append(SHARED_GROUP)
        state.save()
        _run("groupadd", SHARED_GROUP)
    for person in people:
        if user_exists(person.name):
            continue
        state.users.append(person.name)
        state.save()
        supplementary = ["-G", ",".join(person.groups)] if person.groups else []
        _run(
            "useradd",
            "-m",
            "-U",
            "-c",
            GECOS,
            "-s",
            "/bin/bash",
            "-d",
            str(person.home),
            *supplementary,
            person.name,
        )
    _run("chpasswd", text="".join(f"{person.name}:{person.password}\n" for person in people))


def ensure_service_account(state: State) -> None:
    """The account that the hub runs as; one that the machine has already is used and left."""
    if user_exists(SERVICE_ACCOUNT):
        return
    state.users.append(SERVICE_ACCOUNT)
    state.save()
    ensure_account(SERVICE_ACCOUNT, DATA / "hub" / "state")


def remove(state: State) -> None:
    """Remove the users and groups that `up` made, with what they still run and their home directories."""
    for name in state.users:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_gecos.split(",")[0] != (ABOUT if name == SERVICE_ACCOUNT else GECOS):
            continue
        processes.kill(processes.processes_of_uid(entry.pw_uid))
        processes.wait_until(lambda uid=entry.pw_uid: not processes.processes_of_uid(uid), timeout=5)  # type: ignore[misc]
        _run("userdel", name)
        shutil.rmtree(entry.pw_dir, ignore_errors=True)
    for name in (*state.users, *state.groups):
        if group_exists(name) and not user_exists(name):
            _run("groupdel", name)


def _run(*argv: str, text: str | None = None) -> None:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterhubError(
            f"{argv[0]} failed with exit code {done.returncode}.",
            where=" ".join(argv),
            log=tuple(done.stderr.splitlines()),
        )
