"""The hub's side: what it makes of the helper's answers, and of a helper that gives none."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from pathlib import Path

import pytest
from tests.unit.privileged.own_helper import OwnHelper

from clusterhub.privileged import broker as broker_module
from clusterhub.privileged.broker import Broker, BrokerError, HelperConfiguration
from clusterhub.schedulers.model import CommandResult, Submission


def configuration_of(own: OwnHelper) -> HelperConfiguration:
    return HelperConfiguration(
        programs={name: tuple(argv) for name, argv in own.configuration["programs"].items()},
        session_directory=str(own.sessions),
        program_seconds=5,
    )


@pytest.fixture
def broker(own_helper: OwnHelper) -> Broker:
    return Broker.for_this_process(configuration_of(own_helper), own_helper.room / "run", "self")


def submission(own: OwnHelper, script: str = "#!/bin/sh\n") -> Submission:
    request = own.submission(script)
    return Submission(tuple(request["argv"]), request["stdin"])


def broker_with(tmp_path: Path, program: str, seconds: int = 10) -> Broker:
    """A broker whose helper is this Python text."""
    file = tmp_path / "fake_helper.py"
    file.write_text(program)
    return Broker((sys.executable, "-I", str(file)), program_seconds=seconds)


ANY_SUBMISSION = Submission(("sbatch",), "#!/bin/sh\n")


async def test_a_submission_goes_through_the_helper(broker: Broker, own_helper: OwnHelper) -> None:
    result = await broker.submit(own_helper.person, submission(own_helper), ("default.ticket", "secret"))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["program"] == "a fake sbatch"
    ticket = own_helper.sessions / own_helper.person / "default.ticket"
    assert ticket.read_text() == "secret"
    await broker.remove_ticket(own_helper.person, ticket.name)
    assert not ticket.exists()


async def test_cancel_and_signal_go_through_the_helper(broker: Broker, own_helper: OwnHelper) -> None:
    cancelled = await broker.cancel(own_helper.person, ("scancel", "7"))
    assert json.loads(cancelled.stdout)["argv"] == ["7"]
    signalled = await broker.signal(own_helper.person, "scancel", "7", "USR1")
    assert json.loads(signalled.stdout)["argv"] == ["--full", "--signal=USR1", "7"]


async def test_logs_are_read_and_listed(broker: Broker, own_helper: OwnHelper) -> None:
    await broker.submit(own_helper.person, submission(own_helper))
    assert await broker.read_log(own_helper.person, "default-7.log") == ""
    (own_helper.sessions / own_helper.person / "default-7.log").write_text("0123456789")
    assert await broker.read_log(own_helper.person, "default-7.log", 4) == "6789"
    logs = await broker.list_logs(own_helper.person)
    assert [(log.name, log.bytes) for log in logs] == [("default-7.log", 10)]


async def test_the_longest_log_fits_into_an_answer(broker: Broker, own_helper: OwnHelper) -> None:
    await broker.submit(own_helper.person, submission(own_helper))
    (own_helper.sessions / own_helper.person / "default-7.log").write_bytes(b"\x01" * (1 << 20))
    assert len(await broker.read_log(own_helper.person, "default-7.log", 1 << 20)) == 256 << 10


async def test_the_account_is_described(broker: Broker, own_helper: OwnHelper) -> None:
    account = await broker.account(own_helper.person)
    assert (account.name, account.uid, account.allowed) == (own_helper.person, os.getuid(), True)


async def test_an_account_is_asked_for_again_only_when_what_is_known_is_too_old(
    broker: Broker, own_helper: OwnHelper
) -> None:
    known = await broker.account(own_helper.person)
    assert await broker.account(own_helper.person, max_age=60) is known
    assert await broker.account(own_helper.person) is not known


async def test_a_refusal_says_what_where_and_what_next(broker: Broker, own_helper: OwnHelper) -> None:
    with pytest.raises(BrokerError) as error:
        await broker.submit(own_helper.person, Submission(("sbatch", "--uid=0"), ""))
    assert error.value.explanation.where == "argv[1]"
    assert "directives" in error.value.explanation.next


async def test_a_job_whose_program_was_cut_off_may_exist(broker: Broker, own_helper: OwnHelper) -> None:
    result = await broker.submit(own_helper.person, submission(own_helper, "babble"))
    assert result.exit_code is None
    assert result.problem


async def test_a_helper_that_begins_too_late_submits_nothing_that_was_given_up(
    own_helper: OwnHelper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "_SECONDS_OVER", 3.0)
    monkeypatch.setattr(broker_module, "_TO_ANSWER", 3.0)
    configuration = configuration_of(own_helper)._replace(program_seconds=1)
    made = Broker.for_this_process(configuration, own_helper.room / "run", "self")
    slow = Broker(("/bin/sh", "-c", 'sleep 1.5; exec "$@"', "sudo", *made.command), program_seconds=1)
    with pytest.raises(BrokerError, match="no time was left"):
        await slow.submit(own_helper.person, submission(own_helper))


UNREADABLE = {
    "garbage": "print('garbage')",
    "nothing": "",
    "a list": "print([])",
    "half": 'print(\'{"exit_code": 0, "stdout": \')',
    "wrong types": 'print(\'{"exit_code": "0", "stdout": 1, "stderr": null, "problem": ""}\')',
    "an error that is none": "print('{\"error\": true}')",
    "an internal error": (
        "import json; "
        "parts = {'what': 'internal error', 'where': '', 'next': '', 'kind': 'internal'}; "
        "print(json.dumps({'error': parts}))"
    ),
    "dies": "import os; os.kill(os.getpid(), 9)",
    "fails": "raise SystemExit(1)",
    "floods": "print('x' * 9_000_000)",
    "hangs": "import signal; signal.pause()",
}


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "_SECONDS_OVER", 0.5)


@pytest.mark.usefixtures("in_a_hurry")
@pytest.mark.parametrize("program", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_submission_without_an_answer_may_have_happened(tmp_path: Path, program: str) -> None:
    result = await asyncio.wait_for(broker_with(tmp_path, program, 1).submit("alice", ANY_SUBMISSION), 15)
    assert result.exit_code is None
    assert result.problem


@pytest.mark.usefixtures("in_a_hurry")
@pytest.mark.parametrize("program", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_login_without_an_answer_lets_nobody_in(tmp_path: Path, program: str) -> None:
    with pytest.raises(BrokerError) as error:
        await asyncio.wait_for(broker_with(tmp_path, program, 1).authenticate("alice", "secret"), 15)
    assert error.value.explanation.what
    assert error.value.explanation.next or "internal" in error.value.explanation.what
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("word", ['"yes"', "1", "null"])
async def test_only_a_plain_true_lets_somebody_in(tmp_path: Path, word: str) -> None:
    program = f'print(\'{{"ok": {word}, "reason": "", "messages": [], "questions": []}}\')'
    with pytest.raises(BrokerError):
        await broker_with(tmp_path, program).authenticate("alice", "secret")


async def test_the_account_of_somebody_else_is_not_taken_for_the_persons(tmp_path: Path) -> None:
    account = dict.fromkeys(("home", "shell"), "/") | {"name": "bob", "uid": 1, "gid": 1, "groups": []}
    account |= dict.fromkeys(("home_exists", "shell_allowed", "allowed"), True)
    with pytest.raises(BrokerError):
        await broker_with(tmp_path, f"print({json.dumps(json.dumps(account))})").account("alice")


async def test_a_script_that_is_too_long_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(BrokerError):
        await broker_with(tmp_path, "raise SystemExit('ran')").submit(
            "alice", Submission(("sbatch",), "x" * (1 << 20))
        )


async def test_the_helper_gets_nothing_of_the_hubs_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIGPROXY_AUTH_TOKEN", "secret")
    program = (
        "import json, os\n"
        "print(json.dumps({'ok': False, 'reason': ' '.join(sorted(os.environ)),"
        " 'messages': [], 'questions': []}))"
    )
    result = await broker_with(tmp_path, program).authenticate("alice", "password")
    assert set(result.reason.split()) - {"LC_CTYPE"} == {"LANG", "PATH"}


class Gate:
    """Stands for running the helper: all but cancels of "fast" wait inside until they are released."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.two_arrived = asyncio.Event()
        self.release = asyncio.Event()
        self.most = 0
        self.inside = 0

    async def __call__(self, _command: tuple[str, ...], *, stdin: str, **_: object) -> CommandResult:
        person = json.loads(stdin)["person"]
        self.arrived.append(person)
        if len(self.arrived) == 2:
            self.two_arrived.set()
        self.inside += 1
        self.most = max(self.most, self.inside)
        if person != "fast":
            await self.release.wait()
        self.inside -= 1
        reply = {"ok": False, "reason": "wrong-password", "messages": [], "questions": []}
        reply |= {"exit_code": 0, "stdout": "", "stderr": "", "problem": ""}
        return CommandResult(0, json.dumps(reply), "")


async def test_requests_are_served_in_order_and_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    monkeypatch.setattr(broker_module, "run", gate)
    broker = Broker(("helper",), commands_at_once=2)
    people = [f"p{number}" for number in range(8)]
    tasks = [asyncio.create_task(broker.cancel(person, ("scancel", "1"))) for person in people]
    await asyncio.wait_for(gate.two_arrived.wait(), 10)
    gate.release.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert gate.most == 2
    assert gate.arrived == people


async def test_a_crowd_that_logs_in_does_not_hold_up_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    monkeypatch.setattr(broker_module, "run", gate)
    broker = Broker(("helper",), logins_at_once=2)
    logins = [asyncio.create_task(broker.authenticate("slow", "guess")) for _ in range(50)]
    await asyncio.wait_for(gate.two_arrived.wait(), 10)
    cancelled = await asyncio.wait_for(broker.cancel("fast", ("scancel", "1")), 10)
    assert cancelled.exit_code == 0
    assert gate.arrived.count("slow") == 2
    gate.release.set()
    await asyncio.wait_for(asyncio.gather(*logins), 10)


def test_the_configuration_is_for_our_eyes_only(broker: Broker, own_helper: OwnHelper) -> None:
    path = own_helper.room / "run" / "helper.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in broker.command
    assert json.loads(path.read_text())["only_person"] == own_helper.person
    program = path.with_name("helper")
    assert stat.S_IMODE(program.stat().st_mode) == 0o600
    assert sorted(path.parent.iterdir()) == [program, path]


def test_sudo_without_an_installed_helper_is_explained(
    own_helper: OwnHelper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "INSTALLED_HELPER", tmp_path / "missing")
    with pytest.raises(BrokerError) as error:
        Broker.for_this_process(configuration_of(own_helper), tmp_path, "sudo")
    assert "clusterhub setup" in error.value.explanation.next


def test_sudo_keeps_nothing_of_the_environment_and_passes_no_arguments(
    own_helper: OwnHelper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "helper"
    installed.touch()
    monkeypatch.setattr(broker_module, "INSTALLED_HELPER", installed)
    broker = Broker.for_this_process(configuration_of(own_helper), tmp_path / "run", "sudo")
    assert broker.command == ("/usr/bin/sudo", "-n", "--", "/usr/libexec/clusterhub/helper")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("uid", [0, 1000])
def test_the_mode_follows_from_the_account(
    own_helper: OwnHelper, monkeypatch: pytest.MonkeyPatch, uid: int, installed: bool
) -> None:
    helper_file = own_helper.room / "helper"
    if installed:
        helper_file.touch()
    monkeypatch.setattr(broker_module, "INSTALLED_HELPER", helper_file)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(broker_module, "_own_name", lambda: "me")
    broker = Broker.for_this_process(configuration_of(own_helper), own_helper.room / "run")
    if uid and installed:
        assert broker.command[0] == "/usr/bin/sudo"
    else:
        only_person = json.loads((own_helper.room / "run" / "helper.json").read_text())["only_person"]
        assert only_person == ("me" if uid else None)


def test_a_directory_in_which_others_could_replace_the_helper_is_refused(own_helper: OwnHelper) -> None:
    run = own_helper.room / "run"
    run.mkdir()
    run.chmod(0o777)
    with pytest.raises(BrokerError) as error:
        Broker.for_this_process(configuration_of(own_helper), run, "self")
    assert error.value.explanation.where == str(run)
    assert list(run.iterdir()) == []
