"""The audit log gets every line, in order, once, whatever becomes of its file; or says how many it lost."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterhub.audit import log as module
from clusterhub.audit.events import REFUSED, Boarded, Login, Logout
from clusterhub.audit.log import FLOOD_LINES, AuditLog
from clusterhub.audit.request import CURRENT, NONE, begin, tell_in_log_lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    token = CURRENT.set(NONE)
    yield
    CURRENT.reset(token)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def until_written(audit: AuditLog) -> None:
    """Returns when no line waits."""
    with audit._changed:
        assert audit._changed.wait_for(lambda: not audit._waiting, 10)


@pytest.fixture(autouse=True)
def quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", 0.01)


def test_a_line_says_who_did_what_for_whom_and_by_which_request(path: Path) -> None:
    audit = AuditLog(path)
    request = begin("192.0.2.7")
    audit.note(Login(who="alice", person="alice"))
    audit.close()
    [line] = lines(path)
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "login",
        "who": "alice",
        "person": "alice",
        "outcome": "done",
        "why": "",
        "request": request.id,
        "address": "192.0.2.7",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_an_attacker_says_stays_one_line_of_plain_ascii(path: Path) -> None:
    audit = AuditLog(path)
    hostile = 'x"}\n{"event": "login\u2028\x1b[2J' + "é" * 100_000
    audit.note(Boarded(person=hostile, server="", job=hostile, node=hostile, outcome=REFUSED))
    audit.close()
    raw = path.read_bytes()
    assert raw.count(b"\n") == 1
    assert raw.isascii()
    assert b"\x1b" not in raw
    assert len(raw) < 32_000
    assert lines(path)[0]["job"].startswith('x"}\n')


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_file_that_was_rotated_away_is_left_and_a_new_one_begun(path: Path, made_anew: bool) -> None:
    """As logrotate does it, with ``nocreate`` and with ``create``."""
    audit = AuditLog(path)
    audit.note(Logout(who="alice"))
    until_written(audit)
    path.rename(path.with_suffix(".1"))
    if made_anew:
        path.touch(0o600)
    audit.note(Logout(who="bob"))
    audit.close()
    assert [line["who"] for line in lines(path.with_suffix(".1"))] == ["alice"]
    assert [line["who"] for line in lines(path)] == ["bob"]


def test_half_a_line_that_a_killed_hub_left_does_not_spoil_the_next(path: Path) -> None:
    path.write_text('{"event": "log')
    audit = AuditLog(path)
    audit.note(Logout(who="bob"))
    audit.close()
    assert json.loads(path.read_text().splitlines()[1])["who"] == "bob"


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch()
    path.chmod(0o664)
    audit = AuditLog(path)
    audit.note(Logout(who="bob"))
    audit.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_cannot_be_written_is_said_waits_and_is_written_later_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory that is missing stands for a disk that is away."""
    path = tmp_path / "away" / "audit.jsonl"
    audit = AuditLog(path)
    with caplog.at_level(logging.WARNING):
        for person in ("alice", "bob", "carol"):
            audit.note(Logout(who=person))
        words = "cannot be written: No such file or directory. 3 lines wait, 0 are lost"
        deadline = time.monotonic() + 10
        while words not in audit.problem:  # a thread says it again at each try
            assert time.monotonic() < deadline, audit.problem
            time.sleep(0.01)
        path.parent.mkdir()
        audit.close()
    assert [line["who"] for line in lines(path)] == ["alice", "bob", "carol"]
    assert audit.problem == ""
    said = [record.getMessage() for record in caplog.records]
    assert len([each for each in said if "cannot be written" in each]) == 1
    assert any("is written again" in each for each in said)


def test_a_disk_that_is_full_in_the_middle_of_a_line_gets_the_rest_of_it_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fake of `os.write`: a test cannot fill a disk. Without `_written` there is half a line, then all."""
    real, calls = os.write, []

    def write(file: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) == 1:
            return real(file, data[:20])
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data)

    monkeypatch.setattr(module.os, "write", write)
    audit = AuditLog(path)
    audit.note(Logout(who="alice"))
    audit.note(Logout(who="bob"))
    until_written(audit)
    audit.close()
    assert [line["who"] for line in lines(path)] == ["alice", "bob"]


def test_lines_that_are_dropped_are_counted_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 5)
    path = tmp_path / "away" / "audit.jsonl"
    audit = AuditLog(path)
    for number in range(8):
        audit.note(Logout(who=str(number)))
    path.parent.mkdir()
    until_written(audit)
    audit.close()
    written = lines(path)
    assert [line["who"] for line in written[:5]] == list("01234")
    assert (written[5]["event"], written[5]["times"]) == ("lines lost", 3)


def test_a_flood_of_refusals_is_counted_and_nobody_elses_are(path: Path) -> None:
    audit = AuditLog(path)
    begin("192.0.2.7")
    for _ in range(FLOOD_LINES + 40):
        audit.note(Login(outcome=REFUSED, why="wrong-password"))
        audit.note(Login(who="alice"))
    begin("192.0.2.8")
    audit.note(Login(outcome=REFUSED, why="wrong-password"))
    audit.close()
    written = lines(path)
    refused = [line["address"] for line in written if line["outcome"] == "refused"]
    assert refused == ["192.0.2.7"] * FLOOD_LINES + ["192.0.2.8"]
    assert len([line for line in written if line["who"] == "alice"]) == FLOOD_LINES + 40
    assert (written[-1]["event"], written[-1]["of"], written[-1]["address"], written[-1]["times"]) == (
        "repeated",
        "login",
        "192.0.2.7",
        40,
    )


def test_lines_of_the_hubs_log_name_the_request(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogRecordFactory()
    try:
        tell_in_log_lines()
        logging.getLogger("x").warning("of none")
        request = begin("192.0.2.7")
        logging.getLogger("x").warning("of one")
    finally:
        logging.setLogRecordFactory(before)
    assert [vars(record)["request"] for record in caplog.records] == ["", f" {request.id}"]
