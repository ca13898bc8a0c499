"""What an operator does to an account to keep its owner out, as its entries show it."""

from __future__ import annotations

import ctypes as c
import pwd
import time

from clusterhub.privileged.helper.accounts import is_allowed
from clusterhub.privileged.helper.configuration import Configuration


def _entry(person: str) -> tuple[str, int] | None:
    """The shadow entry's password field and last day, see getspnam(3); None where there is none to read."""

    class Shadow(c.Structure):
        _fields_ = (
            ("name", c.c_char_p),
            ("password", c.c_char_p),
            *((field, c.c_long) for field in ("changed", "min", "max", "warn", "inactive", "expire")),
            ("flag", c.c_ulong),
        )

    libc = c.CDLL(None)
    libc.getspnam.restype, libc.getspnam.argtypes = c.POINTER(Shadow), [c.c_char_p]
    entry = libc.getspnam(person.encode())
    if not entry:
        return None
    return (entry.contents.password or b"").decode(errors="replace"), entry.contents.expire


def has_expired(person: str) -> bool:
    """Whether the shadow entry's last day has come.

    Debian's common-account answers PAM_AUTH_ERR (pam_deny) for an expired account, as for any other refusal.
    """
    entry = _entry(person)
    return entry is not None and 0 <= entry[1] <= time.time() // 86400


def is_locked(person: str) -> bool:
    """Whether there is a "!" before the password (`usermod -L`); who never had one has no more than that."""
    entry = _entry(person)
    return entry is not None and entry[0].startswith("!$")


def why_disabled(account: pwd.struct_passwd, configuration: Configuration) -> str:
    """A word for how the account was disabled; empty for one that was not."""
    if has_expired(account.pw_name):
        return "expired-account"
    if is_locked(account.pw_name):
        return "locked"
    if account.pw_shell.rpartition("/")[2] in ("nologin", "false"):
        return "shell"
    return "" if is_allowed(account, configuration) else "not-allowed"
