"""A machine made of dictionaries around the real helper: its code decides, nothing happens, all is noted.

Fakes, because 100,000 calls cannot each fork: accounts, the calls of files.py to the operating system, the
start of a program, the change of account, PAM. With the real ones the helper is tested as a process.
"""

from __future__ import annotations

import math
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from tests.abuse.fuzz_requests import ENGINE, PEOPLE, SESSIONS
from tests.unit.privileged.options_of_sbatch import DIRECTIVE

from clusterhub.privileged.helper import accounts, environments, files, pam, person, shadow, verbs
from clusterhub.privileged.helper.accounts import Caller
from clusterhub.privileged.helper.configuration import Configuration

UIDS = {name: 1001 + place for place, name in enumerate(PEOPLE)}
SYSTEM_UIDS = {
    "root": 0,
    "toor": 0,
    "daemon": 1,
    "clusterhub": 998,
    "low": 999,
    "nobody": 65534,
    "nfsnobody": 4294967294,
}
BASES = {
    "sbatch": ["/usr/bin/sbatch"],
    "scancel": ["/opt/slurm/bin/scancel", "--quiet"],
    "local-engine": ["/usr/bin/python3", "-I", "-m", "engine"],
}
EXTRA_ENVIRONMENT = {"SLURM_CONF": "/etc/slurm/slurm.conf"}
NOT_ON_THE_LIST = "carol"
CONFIGURATION = Configuration(
    programs=BASES,
    session_directory=SESSIONS,
    environment=EXTRA_ENVIRONMENT,
    allow=[name for name in PEOPLE if name != NOT_ON_THE_LIST],
    directives=[DIRECTIVE],
    engine_directories=[ENGINE],
    own_environments=True,
)
AS_ROOT = Caller(0, True, True, "clusterhub")
AS_ALICE = Caller(UIDS["alice"], False, False, "alice")
"""A hub without root serves its own account only."""


@dataclass(frozen=True)
class Account:
    """Whose credentials a process has; None for a group or user that was not changed."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True)
class Ran:
    """A program that would have been started."""

    command: tuple[str, ...]
    environment: dict[str, str]
    stdin: str
    account: Account


@dataclass(frozen=True)
class Touched:
    """A file or directory that would have been opened, made, written, removed or given away."""

    how: str
    path: str
    account: Account


@dataclass(frozen=True)
class Asked:
    """A question to PAM."""

    service: str
    person: str
    password: str
    address: str
    account: Account


Effect = Ran | Touched | Asked


@dataclass
class World:
    """What a call would have done, and as whom."""

    caller: Account
    account: Account
    effects: list[Effect] = field(default_factory=list)


class _File:
    def __init__(self, world: World, path: str, mode: str) -> None:
        self.world, self.path, self.text = world, path, "text" if "b" not in mode else b"text"

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def fileno(self) -> int:
        return -1

    def flush(self) -> None:
        pass

    def seek(self, _place: int) -> None:
        pass

    def read(self, _count: int) -> Any:
        return self.text

    def write(self, _text: str) -> None:
        self.world.effects.append(Touched("write", self.path, self.world.account))


class FakeOs:
    """What files.py needs of `os`: the session directory is there, and half of the people's own in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.paths: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("O_"):
            return getattr(os, name)
        raise AssertionError(f"files.py uses os.{name}, which this fake does not know")

    def _note(self, how: str, path: str, dir_fd: int | None = None) -> str:
        whole = path if dir_fd is None else f"{self.paths[dir_fd]}/{path}"
        self.world.effects.append(Touched(how, whole, self.world.account))
        return whole

    def open(self, path: str, flags: int, _mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        for flag in ("O_NOFOLLOW", "O_CLOEXEC"):
            assert flags & getattr(os, flag), f"{path} would be opened without {flag}"
        how = "make" if flags & os.O_CREAT else "look into" if flags & os.O_DIRECTORY else "read"
        whole = self._note(how, path, dir_fd)
        if how == "look into" and len(whole) % 3 == 0 and self.world.account != self.world.caller:
            raise FileNotFoundError(2, "No such file or directory")
        descriptor = len(self.paths)
        self.paths[descriptor] = whole
        return descriptor

    def fdopen(self, descriptor: int, mode: str, **_more: object) -> _File:
        return _File(self.world, self.paths[descriptor], mode)

    def fstat(self, descriptor: int) -> SimpleNamespace:
        name = self.paths[descriptor].rpartition("/")[2]
        directory = name in UIDS or self.paths[descriptor] == SESSIONS
        mode = stat.S_IFDIR | 0o755 if directory else stat.S_IFREG | 0o600
        return SimpleNamespace(st_mode=mode, st_uid=UIDS.get(name, 0), st_size=4)

    def stat(self, name: str, *, dir_fd: int, follow_symlinks: bool) -> SimpleNamespace:
        self._note("look at", name, dir_fd)
        assert not follow_symlinks
        return SimpleNamespace(st_mode=stat.S_IFREG | 0o600, st_size=4, st_mtime=0.0)

    def mkdir(self, path: str, _mode: int, *, dir_fd: int | None = None) -> None:
        self._note("make directory", path, dir_fd)
        if len(path) % 2:
            raise FileExistsError(17, "File exists")

    def unlink(self, path: str, *, dir_fd: int) -> None:
        self._note("remove", path, dir_fd)

    def listdir(self, descriptor: int) -> list[str]:
        self.world.effects.append(Touched("list", self.paths[descriptor], self.world.account))
        return ["default-17.log", "default.ticket", ".bashrc"]

    def fchown(self, descriptor: int, uid: int, _gid: int) -> None:
        self.world.effects.append(Touched(f"give to {uid}", self.paths[descriptor], self.world.account))

    def fchmod(self, descriptor: int, mode: int) -> None:
        if descriptor >= 0:
            self.world.effects.append(Touched(f"chmod {mode:o}", self.paths[descriptor], self.world.account))

    def fsync(self, _descriptor: int) -> None:
        pass


class FakeAccounts:
    """What accounts.py needs of `pwd`, answering to other spellings as directories that ignore case do."""

    struct_passwd = pwd.struct_passwd

    def __init__(self) -> None:
        self.by_name = {
            name: pwd.struct_passwd((name, "x", uid, uid, "", f"/home/{name}", "/bin/bash"))
            for name, uid in {**UIDS, **SYSTEM_UIDS}.items()
        }

    def getpwnam(self, name: str) -> pwd.struct_passwd:
        assert "\0" not in name, "the real one raises ValueError"
        return self.by_name.get(name) or self.by_name[name.lower()]

    def getpwuid(self, uid: int) -> pwd.struct_passwd:
        return next(one for one in self.by_name.values() if one.pw_uid == uid)


class _Process:
    """A program that says nothing and ends."""

    pid, returncode = -1, 0
    stdout, stderr = SimpleNamespace(fileno=lambda: -1), SimpleNamespace(fileno=lambda: -2)

    def wait(self, _timeout: float | None = None) -> int:
        return 0


class Machine:
    """The fakes in place; `call` sends the helper one request and tells what it would have done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, caller: Caller = AS_ROOT) -> None:
        self.caller = caller
        own = Account(caller.uid, caller.uid, caller.name)
        self.world = World(own, own)
        fake_pwd = FakeAccounts()
        monkeypatch.setattr(accounts, "pwd", fake_pwd)
        monkeypatch.setattr(accounts.os, "getgrouplist", lambda _name, gid: [gid])
        monkeypatch.setattr(person.Actor, "become", lambda actor: self._become(actor.account))
        monkeypatch.setattr(person, "in_child", self._in_child)
        monkeypatch.setattr(person, "_read", lambda *_: "")
        # What a program's own clock would end here is this process.
        clock = SimpleNamespace(setitimer=lambda *_: None, ITIMER_REAL=0, SIGKILL=9)
        monkeypatch.setattr(person, "signal", clock)
        monkeypatch.setattr(pam, "in_child", self._in_child)
        monkeypatch.setattr(pam, "ask_pam", self._ask_pam)
        monkeypatch.setattr(shadow, "_entry", lambda _person: None)
        monkeypatch.setattr(subprocess, "Popen", self._popen)
        monkeypatch.setattr(environments, "look_at", self._look_at)
        self.fake_os = FakeOs(self.world)
        monkeypatch.setattr(files, "os", self.fake_os)

    def call(self, verb: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The reply; `world` then says what would have happened."""
        self.reset()
        return verbs.carry_out(verb, fields, CONFIGURATION, self.caller, math.inf)

    def reset(self) -> None:
        """Nothing has happened yet."""
        self.world.account = self.world.caller
        self.world.effects = []
        self.fake_os.paths.clear()

    def _become(self, account: pwd.struct_passwd) -> None:
        self.world.account = Account(account.pw_uid, account.pw_gid, account.pw_name)

    def _in_child(self, work: Any, _seconds: float) -> Any:
        before = self.world.account
        try:
            return work()
        finally:
            self.world.account = before

    def _ask_pam(self, service: str, name: str, answers: pam.Answers, address: str) -> dict[str, Any]:
        password = answers.to("Password: ", hidden=True) or ""
        self.world.effects.append(Asked(service, name, password, address, self.world.account))
        return {"reason": "", "code": 0, "messages": [], "questions": []}

    def _look_at(self, path: str) -> dict[str, Any]:
        self.world.effects.append(Touched("see names in", path, self.world.account))
        return {}

    def _popen(self, command: list[str], **how: Any) -> _Process:
        assert how["start_new_session"]
        assert not how.get("shell")
        before = self.world.account
        how["preexec_fn"]()
        text = how["stdin"].read().decode()
        self.world.effects.append(Ran(tuple(command), dict(how["env"]), text, self.world.account))
        self.world.account = before
        return _Process()
