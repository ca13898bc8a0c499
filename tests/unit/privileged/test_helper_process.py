"""The helper as a process, without root: what it does, and that nothing else happens."""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.privileged.own_helper import OwnHelper

from clusterhub.privileged.archive import ISOLATED
from clusterhub.privileged.helper.person import OUTPUT_BYTES
from clusterhub.privileged.helper.requests import REQUEST_BYTES


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def fake_answer(reply: dict[str, Any]) -> dict[str, Any]:
    assert reply["exit_code"] == 0, reply
    answer = json.loads(reply["stdout"])
    assert answer["program"] == "a fake sbatch"
    assert isinstance(answer, dict)
    return answer


def test_a_submission_reaches_the_program_unchanged(own_helper: OwnHelper) -> None:
    request = own_helper.submission("#!/bin/bash\necho ä\n")
    answer = fake_answer(own_helper.send(request))
    assert answer["argv"] == request["argv"][1:]
    assert answer["stdin"] == "#!/bin/bash\necho ä\n"


def test_a_program_gets_a_clean_environment_and_no_open_files(own_helper: OwnHelper) -> None:
    hostile = {"SBATCH_EXPORT": "ALL", "LD_LIBRARY_PATH": "/hostile", "PATH": "/hostile", "TOKEN": "secret"}
    answer = fake_answer(own_helper.send(own_helper.submission(), hostile))
    given = set(answer["environment"]) - {"LC_CTYPE"}  # Python's own
    assert given == {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "SLURM_CONF"}
    assert answer["environment"]["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert answer["environment"]["USER"] == own_helper.person
    assert answer["descriptors"] == [0, 1, 2, 3]  # 3 is the listing itself
    assert answer["core"] == 0
    assert answer["leads a session"]


def test_a_submission_makes_the_private_directory_and_the_ticket_in_it(own_helper: OwnHelper) -> None:
    ticket = {"name": "default.ticket", "text": "secret"}
    own_helper.send(own_helper.submission(ticket=ticket))
    own = own_helper.sessions / own_helper.person
    assert mode(own) == 0o700
    assert (own / "default.ticket").read_text() == "secret"
    assert mode(own / "default.ticket") == 0o600


def test_a_second_submission_replaces_the_ticket(own_helper: OwnHelper) -> None:
    for text in ("first, and longer", "second"):
        own_helper.send(own_helper.submission(ticket={"name": "default.ticket", "text": text}))
    assert (own_helper.sessions / own_helper.person / "default.ticket").read_text() == "second"


def test_a_directory_that_others_could_look_into_is_closed(own_helper: OwnHelper) -> None:
    own = own_helper.sessions / own_helper.person
    own.mkdir(parents=True)
    own.chmod(0o755)
    fake_answer(own_helper.send(own_helper.submission()))
    assert mode(own) == 0o700


def test_a_ticket_can_be_removed_twice(own_helper: OwnHelper) -> None:
    own_helper.send(own_helper.submission(ticket={"name": "default.ticket", "text": "secret"}))
    assert own_helper.ask("remove-ticket", name="default.ticket") == {}
    assert own_helper.ask("remove-ticket", name="default.ticket") == {}
    assert list((own_helper.sessions / own_helper.person).iterdir()) == []


def test_a_refusal_of_the_scheduler_comes_back_in_its_words(own_helper: OwnHelper) -> None:
    reply = own_helper.send(own_helper.submission("refuse"))
    assert reply["exit_code"] == 1
    assert "Invalid account" in reply["stderr"]
    assert reply["problem"] == ""


def test_a_program_that_hangs_is_cut_off(own_helper: OwnHelper) -> None:
    own_helper.configuration["program_seconds"] = 1
    reply = own_helper.send(own_helper.submission("hang"))
    assert reply["exit_code"] is None
    assert reply["problem"] == "no answer in time"


def test_what_comes_too_late_is_not_begun(own_helper: OwnHelper) -> None:
    error = own_helper.send(own_helper.submission("hang", until=time.monotonic() - 1))["error"]
    assert error["kind"] == "failed"
    assert "no time was left" in error["what"]


def test_whoever_asks_can_shorten_the_time_and_not_lengthen_it(own_helper: OwnHelper) -> None:
    begun = time.monotonic()
    own_helper.send(own_helper.submission("hang", until=begun + 1))
    own_helper.configuration["program_seconds"] = 1
    assert own_helper.send(own_helper.submission("hang", until=begun + 1e9))["problem"] == "no answer in time"


def test_a_program_ends_in_time_also_when_the_helper_is_killed(own_helper: OwnHelper) -> None:
    note = own_helper.room / "pid"
    script = f"echo $$ > {note}.new; mv {note}.new {note}; exec sleep 60"
    own_helper.configuration["programs"]["sbatch"] = ["/bin/sh", "-c", script]
    own_helper.configuration["program_seconds"] = 1
    command = [sys.executable, ISOLATED, str(own_helper.program), "--configuration", str(own_helper.file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as helper:
        assert helper.stdin is not None
        helper.stdin.write(json.dumps(own_helper.submission()).encode())
        helper.stdin.close()
        until(note.exists)
        helper.kill()
    running = Path(f"/proc/{note.read_text().strip()}/exe")
    until(lambda: not running.exists())


def until(true: Callable[[], bool]) -> None:
    """Returns when the condition holds; the limit is pytest's own."""
    while not true():
        time.sleep(0.02)


def test_a_program_that_babbles_is_cut_off(own_helper: OwnHelper) -> None:
    reply = own_helper.send(own_helper.submission("babble"))
    assert reply["exit_code"] is None
    assert "bytes of output" in reply["problem"]
    assert len(reply["stdout"]) == OUTPUT_BYTES


def test_a_program_that_is_not_there_is_named(own_helper: OwnHelper) -> None:
    own_helper.configuration["programs"]["sbatch"] = ["/no/such/sbatch"]
    error = own_helper.send(own_helper.submission())["error"]
    assert error["where"] == "/no/such/sbatch"
    assert "No such file" in error["what"]


def test_a_script_with_lines_for_the_scheduler_is_refused(own_helper: OwnHelper) -> None:
    error = own_helper.send(own_helper.submission("#!/bin/sh\n#SBATCH --output=/tmp/x\n"))["error"]
    assert error["where"] == "stdin"
    assert not own_helper.sessions.exists()


def test_the_end_of_a_log_is_read(own_helper: OwnHelper) -> None:
    own_helper.send(own_helper.submission())
    log = own_helper.sessions / own_helper.person / "default-7.log"
    log.write_bytes(b"first line\n" + b"last line \xff\n")
    assert (
        own_helper.ask("read-log", name=log.name, bytes=12)["text"] == "last line \N{REPLACEMENT CHARACTER}\n"
    )
    assert [one["name"] for one in own_helper.ask("list-logs")["logs"]] == [log.name]


def test_a_person_without_a_session_has_no_logs(own_helper: OwnHelper) -> None:
    own_helper.sessions.mkdir()
    assert own_helper.ask("list-logs") == {"logs": []}
    assert own_helper.ask("read-log", name="default-7.log") == {"text": "", "missing": True}


def test_the_account_is_described(own_helper: OwnHelper) -> None:
    account = own_helper.ask("account")
    assert account["name"] == own_helper.person
    assert account["uid"] == os.getuid()
    assert account["home_exists"] is Path(account["home"]).is_dir()


def test_somebody_who_is_not_on_the_list_starts_nothing_and_can_still_end_things(
    own_helper: OwnHelper,
) -> None:
    own_helper.configuration["allow"] = ["somebody-else", "@no-such-group"]
    assert "not allowed" in own_helper.send(own_helper.submission())["error"]["what"]
    assert own_helper.ask("account")["allowed"] is False
    assert own_helper.ask("cancel", argv=["scancel", "7"])["exit_code"] == 0


def test_another_account_than_ones_own_is_refused(own_helper: OwnHelper) -> None:
    other = next(one.pw_name for one in pwd.getpwall() if one.pw_uid != os.getuid())
    error = own_helper.send({"verb": "account", "person": other})["error"]
    assert error["kind"] == "refused"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 200_000, b'{"verb": NaN}', b"1" * 5000]
)
def test_what_is_no_request_gets_a_plain_reply(own_helper: OwnHelper, text: bytes) -> None:
    assert own_helper.send(text)["error"]["kind"] == "refused"


def test_a_request_that_is_too_long_is_refused(own_helper: OwnHelper) -> None:
    error = own_helper.send(b" " * (REQUEST_BYTES + 100_000))["error"]
    assert "longer than" in error["what"]


def test_a_configuration_that_others_may_write_is_refused(own_helper: OwnHelper, tmp_path: Path) -> None:
    class Writable(OwnHelper):
        @property
        def file(self) -> Path:
            path = super().file
            path.chmod(0o666)
            return path

    reply = Writable(tmp_path, own_helper.person, own_helper.configuration).ask("account")
    assert "written by others" in reply["error"]["what"]


def test_a_configuration_behind_a_symbolic_link_is_refused(own_helper: OwnHelper, tmp_path: Path) -> None:
    class Linked(OwnHelper):
        @property
        def file(self) -> Path:
            link = tmp_path / "link.json"
            link.symlink_to(super().file)
            return link

    assert "error" in Linked(tmp_path, own_helper.person, own_helper.configuration).ask("account")


def test_a_caller_through_sudo_cannot_choose_the_configuration(own_helper: OwnHelper) -> None:
    environment = {"SUDO_UID": "900", "SUDO_USER": "clusterhub"}
    reply = own_helper.send({"verb": "account", "person": own_helper.person}, environment)
    assert reply["error"]["what"] == "the helper takes no arguments"


def test_every_call_is_recorded(own_helper: OwnHelper) -> None:
    own_helper.send(own_helper.submission(ticket={"name": "default.ticket", "text": "the-ticket-secret"}))
    own_helper.ask("cancel", argv=["scancel", "7"])
    own_helper.ask("cancel", argv=["scancel", "7;8"])
    assert [(line["verb"], line["outcome"].partition(":")[0]) for line in own_helper.audit] == [
        ("submit", "exit code 0"),
        ("cancel", "exit code 0"),
        ("?", "refused"),
    ]
    assert own_helper.audit[0]["person"] == own_helper.person
    assert own_helper.audit[1]["argv"] == ["scancel", "7"]
    assert "the-ticket-secret" not in (own_helper.room / "audit.log").read_text()
    assert mode(own_helper.room / "audit.log") == 0o600


def test_without_its_record_nothing_is_done(own_helper: OwnHelper) -> None:
    (own_helper.room / "audit.log").symlink_to("/dev/null")
    error = own_helper.send(own_helper.submission())["error"]
    assert "audit log" in error["what"]
    assert not own_helper.sessions.exists()


def test_a_password_goes_nowhere(own_helper: OwnHelper) -> None:
    reply = own_helper.ask("authenticate", password="correct horse battery", address="192.0.2.7")
    assert reply["ok"] is False
    assert "correct horse" not in json.dumps(reply)
    assert "correct horse" not in (own_helper.room / "audit.log").read_text()
    assert own_helper.audit[0]["address"] == "192.0.2.7"
