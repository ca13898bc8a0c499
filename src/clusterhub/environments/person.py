"""Commands that run as the person whom they are for."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.model import CommandResult

LARGEST_OUTPUT = 16 * 2**20
"""Bytes of what a person's command prints that are read."""
_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Person:
    """An account of this machine, as which this process may run commands."""

    name: str
    uid: int
    gid: int
    home: str
    groups: tuple[int, ...]

    @classmethod
    def named(cls, name: str) -> Person:
        """The account of that name. Raises ClusterhubError where we may not act as it, or there is none."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            raise ClusterhubError(f"There is no account {name!r} on this machine.") from None
        if os.geteuid() not in (0, entry.pw_uid):
            raise ClusterhubError(
                f"Only root may do this as {name}.", next="Run it as root, or leave the person out."
            )
        groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, groups)

    @classmethod
    def running(cls) -> Person:
        """Who runs this command. Raises ClusterhubError for an account without a name."""
        try:
            return cls.named(pwd.getpwuid(os.geteuid()).pw_name)
        except KeyError:
            raise ClusterhubError(f"The account with the uid {os.geteuid()} has no name.") from None

    def run(
        self,
        argv: Sequence[str],
        *,
        seconds: float,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult:
        """What the command answered, in a clean environment; it is cut off after so many seconds."""
        switch = {"user": self.uid, "group": self.gid, "extra_groups": self.groups}
        identity: dict[str, object] = dict(switch) if os.geteuid() == 0 and self.uid != 0 else {}
        try:
            with subprocess.Popen(  # type: ignore[call-overload]  # what changes the account is there or not
                [*argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env={
                    "HOME": self.home,
                    "USER": self.name,
                    "LOGNAME": self.name,
                    "PATH": _PATH,
                    "LANG": "C.UTF-8",
                    **(environment or {}),
                },
                start_new_session=True,
                **identity,
            ) as process:
                try:
                    out, err = process.communicate(stdin.encode(), timeout=seconds)
                except BaseException as error:
                    os.killpg(process.pid, 9)
                    process.communicate()
                    if isinstance(error, subprocess.TimeoutExpired):
                        return CommandResult(None, "", "", f"{argv[0]} gave no answer within {seconds:g} s")
                    raise
        except OSError as error:
            return CommandResult(None, "", "", f"{argv[0]} cannot be run: {error.strerror}")
        texts = [text[:LARGEST_OUTPUT].decode("utf-8", "replace") for text in (out, err)]
        return CommandResult(process.returncode, texts[0], texts[1])
