"""Whose process this is, and which accounts it may act as."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from typing import NamedTuple

from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.refusal import Refused


class Caller(NamedTuple):
    """Whose process this is, and how it came to run."""

    uid: int
    root: bool
    through_sudo: bool
    name: str

    def acts_as_itself(self, configuration: Configuration) -> bool:
        """True where no account is changed: without root, or for a hub that serves its own account only."""
        if not self.root:
            return True
        return not self.through_sudo and configuration.only_person == pwd.getpwuid(self.uid).pw_name


def is_system_account(account: pwd.struct_passwd, configuration: Configuration) -> bool:
    """Root, nobody (65534, and -1 in 16 and 32 bits) and everything below the lowest uid of a person."""
    reserved = (65534, 65535, 0xFFFFFFFE, 0xFFFFFFFF)
    too_low = account.pw_uid < configuration.minimum_uid
    return too_low or account.pw_uid in reserved or account.pw_name in ("root", "nobody")


def find_account(person: str) -> pwd.struct_passwd | None:
    """The account of exactly that name. Directories that ignore case answer to other spellings, too."""
    try:
        account = pwd.getpwnam(person)
    except KeyError:
        return None
    return account if account.pw_name == person else None


def permitted_account(person: str, configuration: Configuration, caller: Caller) -> pwd.struct_passwd:
    """The account to act as, or `Refused`."""
    account = find_account(person)
    if account is None:
        next_step = "ask the operators whether it was removed or renamed"
        raise Refused("there is no such account", person, next_step)
    if configuration.only_person not in (None, person):
        raise Refused("this hub serves one account only, and not this one", person)
    if caller.acts_as_itself(configuration):
        if account.pw_uid != caller.uid:
            raise Refused("without root, the helper acts for its own account only", person)
    elif is_system_account(account, configuration):
        raise Refused("nothing is done as a system account", person, "log in with a person's account")
    return account


def groups_of(account: pwd.struct_passwd) -> list[str]:
    """The names of the account's groups; numbers that have no name are left out."""
    names = set()
    for gid in os.getgrouplist(account.pw_name, account.pw_gid):
        with contextlib.suppress(KeyError):
            names.add(grp.getgrgid(gid).gr_name)
    return sorted(names)


def is_allowed(account: pwd.struct_passwd, configuration: Configuration) -> bool:
    """Whether the operator's list has the account or one of its groups; an empty list has everybody."""
    if not configuration.allow or account.pw_name in configuration.allow:
        return True
    return any(f"@{group}" in configuration.allow for group in groups_of(account))


def is_shell_allowed(shell: str) -> bool:
    """Whether /etc/shells has it and it lets anybody in."""
    try:
        with open("/etc/shells", encoding="utf-8", errors="replace") as file:
            shells = [line.strip() for line in file if line.startswith("/")]
    except OSError:
        shells = ["/bin/sh", "/bin/bash"]
    return (shell or "/bin/sh") in shells and shell.rpartition("/")[2] not in ("nologin", "false")
