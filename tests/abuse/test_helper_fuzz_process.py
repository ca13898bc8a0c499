"""Some hundreds of made requests through the helper's own process, as root, for real people of the machine.

What happens is read from what the kernel says of it: a program in the place of the scheduler's notes its
words, credentials and environment in files whose owner is its account, and each call is followed by a look at
the whole tree of sessions, with other people's logs and tickets in it. The predicates are those of the bulk.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.abuse.forbidden import forbidden
from tests.abuse.fuzz_requests import ENGINE, SESSIONS, Requests
from tests.abuse.fuzz_world import (
    BASES,
    EXTRA_ENVIRONMENT,
    NOT_ON_THE_LIST,
    UIDS,
    Account,
    Effect,
    Ran,
    Touched,
)
from tests.unit.privileged.options_of_sbatch import DIRECTIVE

from clusterhub.privileged import archive
from clusterhub.privileged.archive import ISOLATED, helper_archive

CALLS = int(os.environ.get("CLUSTERHUB_FUZZ_PROCESSES", "300"))
LOGINS = 2
"""PAM takes its time over a wrong password: logins are for the bulk, and for tests of their own."""
PEOPLE = ("alice", "bob", NOT_ON_THE_LIST)
ROOT = Account(0, 0, "root")

RECORDER = f"""#!{sys.executable} -IS
import json, os, sys
path = os.path.join({{directory!r}}, str(os.getpid()))
record = {{{{
    "words": sys.argv[1:],
    "environment": dict(os.environ),
    "stdin": sys.stdin.read(),
    "ids": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),
}}}}
with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
    json.dump(record, file)
"""


class Room:
    """A directory with sessions of several people in it, the helper, and what was noted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sessions = path / "sessions"
        self.records = path / "records"
        self.engine = path / "engine"
        self.records.mkdir(mode=0o777)
        self.records.chmod(0o1777)
        recorder = path / "recorder"
        recorder.write_text(RECORDER.format(directory=str(self.records)))
        recorder.chmod(0o755)
        self.program = path / "helper"
        self.program.write_bytes(helper_archive())
        self.configuration = path / "helper.json"
        self.configuration.write_text(
            json.dumps(
                {
                    "programs": {name: [str(recorder), name] for name in BASES},
                    "session_directory": str(self.sessions),
                    "environment": EXTRA_ENVIRONMENT,
                    "allow": [name for name in PEOPLE if name != NOT_ON_THE_LIST],
                    "directives": [DIRECTIVE],
                    "engine_directories": [str(self.engine)],
                    "own_environments": True,
                }
            )
        )
        self.configuration.chmod(0o600)
        self.sessions.mkdir()
        self.sessions.chmod(0o755)
        for name in PEOPLE:
            self._fill(name)

    def _fill(self, person: str) -> None:
        account = pwd.getpwnam(person)
        own = self.sessions / person
        own.mkdir(mode=0o700)
        files = [own / f"default-{number}.log" for number in range(1, 99)] + [own / "default.ticket"]
        for path in files:
            path.write_text(f"of {person} only")
            path.chmod(0o600)
            os.chown(path, account.pw_uid, account.pw_gid)
        os.chown(own, account.pw_uid, account.pw_gid)

    def send(self, text: bytes) -> tuple[dict[str, Any], list[Effect]]:
        """The reply, and what has happened, in the terms of `fuzz_world`."""
        before = self._files()
        done = subprocess.run(
            ["/usr/bin/python3", ISOLATED, str(self.program), "--configuration", str(self.configuration)],
            input=text.replace(SESSIONS.encode(), str(self.sessions).encode()).replace(
                ENGINE.encode(), str(self.engine).encode()
            ),
            capture_output=True,
            timeout=60,
            check=False,
            env={"LD_LIBRARY_PATH": "/nowhere", "CANARY": "of the hub"},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        reply = json.loads(done.stdout)
        return reply, [*self._touched(before, self._files()), *self._ran()]

    def _files(self) -> dict[str, tuple[int, int, int, str]]:
        """Owner, group, mode and content of everything but the records."""
        found = {}
        for directory, _, names in os.walk(self.path):
            if Path(directory) == self.records:
                continue
            for path in (Path(directory), *(Path(directory, name) for name in names)):
                status = path.lstat()
                text = path.read_bytes().decode(errors="replace") if path.is_file() else ""
                found[str(path)] = (status.st_uid, status.st_gid, status.st_mode, text)
        return found

    def _touched(self, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Touched]:
        for path in before.keys() | after.keys():
            if before.get(path) == after.get(path):
                continue
            uid, gid, mode, _ = after.get(path) or before[path]
            how = "remove" if path not in after else "make" if path not in before else "write"
            # A ticket that is written anew is the same file to this look.
            yield Touched(how, self._as_made(path), _account(uid, gid))
            if path in after and mode & 0o077:
                yield Touched(f"chmod {mode & 0o777:o}", self._as_made(path), _account(uid, gid))

    def _ran(self) -> Iterator[Ran]:
        for path in self.records.iterdir():
            record = json.loads(path.read_text())
            status = path.lstat()
            path.unlink()
            uids, gids, groups = record["ids"]
            account = _account(status.st_uid, status.st_gid)
            real = pwd.getpwuid(status.st_uid)
            # All three of each, and the person's groups and no others: nothing of root's is left.
            if uids != [real.pw_uid] * 3 or gids != [real.pw_gid] * 3 or groups != _groups(real):
                account = Account(uids[0], -1, f"{record['ids']}")
            if record["descriptors"] not in ([0, 1, 2], [0, 1, 2, 3]):
                account = Account(uids[0], -1, f"with descriptors {record['descriptors']}")
            environment = dict(record["environment"])
            if environment.get("HOME") == real.pw_dir:
                environment["HOME"] = f"/home/{real.pw_name}"
            environment.pop("LC_CTYPE", None)  # Python's own, where there is no locale
            program, *words = record["words"]
            command = (*BASES[program], *(self._as_made(word) for word in words))
            yield Ran(command, environment, record["stdin"], account)

    def _as_made(self, text: str) -> str:
        return text.replace(str(self.sessions), SESSIONS).replace(str(self.engine), ENGINE)


def _groups(account: pwd.struct_passwd) -> list[int]:
    return sorted(os.getgrouplist(account.pw_name, account.pw_gid))


def _account(uid: int, gid: int) -> Account:
    """The account in the terms of `fuzz_world`, where it is whole: its own user and its own group."""
    real = pwd.getpwuid(uid)
    if real.pw_name in UIDS and real.pw_gid == gid:
        return Account(UIDS[real.pw_name], UIDS[real.pw_name], real.pw_name)
    return Account(uid, gid, f"{real.pw_name} in {grp.getgrgid(gid).gr_name}")


@pytest.fixture
def room(cluster_path: Path) -> Room:
    """The cluster is only asked for its people, and for a directory that they may enter."""
    return Room(cluster_path)


def whose(reply: Any, document: Any) -> list[str]:
    """Other people's words in a reply."""
    text = json.dumps(reply)
    asked = document.get("person") if isinstance(document, dict) else None
    return [
        f"the reply has what is {name}'s" for name in PEOPLE if name != asked and f"of {name} only" in text
    ]


def test_made_requests_have_no_forbidden_effect_through_the_helpers_process(
    room: Room, record_property: Callable[[str, object], None]
) -> None:
    outcomes = Counter[str]()
    requests = Requests(7, PEOPLE)
    logins = 0
    while outcomes.total() < CALLS:
        text = requests.text()
        logins += b'"authenticate"' in text
        if b'"authenticate"' in text and logins > LOGINS:
            continue
        reply, effects = room.send(text)
        error = reply.get("error")
        outcomes[error["kind"] if error else "done"] += 1
        assert not error or error["kind"] != "internal", (reply, text)
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        found = [*forbidden(document, effects, ROOT), *whose(reply, document)]
        assert not found, (found, text)
        if error and error["kind"] == "refused":
            assert not effects, text
    record_property("calls", outcomes.total())
    print(f"{outcomes.total()} calls: {dict(outcomes)}")
    assert outcomes["done"] > CALLS / 8
    assert outcomes["refused"] > CALLS / 4


GOOD = {
    "verb": "submit",
    "person": "alice",
    "argv": ["sbatch", "--comment=clusterhub:h:alice:", f"--output={SESSIONS}/alice/default-%j.log"],
    "stdin": "#!/bin/sh\n",
    "ticket": {"name": "fresh.ticket", "text": "secret"},
}


def test_what_is_noted_is_what_the_predicates_look_at(room: Room) -> None:
    """A good submission is seen, with its ticket; the same as another person's would be forbidden."""
    reply, effects = room.send(json.dumps(GOOD).encode())
    assert reply["exit_code"] == 0, reply
    assert {type(effect) for effect in effects} == {Ran, Touched}
    assert list(forbidden(GOOD, effects, ROOT)) == []
    assert list(forbidden({**GOOD, "person": "bob"}, effects, ROOT))


HOLES = {
    "root's groups stay": (
        ("person.py", "os.initgroups(self.account.pw_name, gid)", "pass"),
        "it was done as Account",
    ),
    "root's environment stays": (
        ("person.py", "env={**actor.environment(), **variables},", ""),
        "the environment is",
    ),
    "a ticket is for everybody": (
        ("files.py", "(file.fileno(), 0o600)", "(file.fileno(), 0o644)"),
        "chmod 644",
    ),
    "root writes the ticket": (
        ("files.py", "return actor.call(lambda: work(", "return (lambda work: work())(lambda: work("),
        "it was done as a system account",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), HOLES.values(), ids=HOLES)
def test_a_hole_that_is_planted_in_the_process_is_seen(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str, str], sentence: str
) -> None:
    copy = tmp_path / "helper"
    shutil.copytree(Path(archive.helper.__file__).parent, copy)
    module, old, new = change
    text = (copy / module).read_text()
    assert old in text
    (copy / module).write_text(text.replace(old, new))
    monkeypatch.setattr(archive, "helper", SimpleNamespace(__file__=str(copy / "__init__.py")))
    room.program.write_bytes(archive.helper_archive())
    _, effects = room.send(json.dumps(GOOD).encode())
    assert sentence in " ".join(forbidden(GOOD, effects, ROOT))
