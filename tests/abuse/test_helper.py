"""What a hub that was taken over could send to the helper: refused, and without effect."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.privileged.own_helper import OwnHelper

from clusterhub.privileged.helper.accounts import Caller, permitted_account
from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.refusal import Refused
from clusterhub.privileged.helper.requests import REQUEST_BYTES, check_request, parse_request

PROGRAMS = {"sbatch": ["/usr/bin/sbatch"], "scancel": ["/usr/bin/scancel"], "local-engine": ["/opt/engine"]}
CONFIGURATION = Configuration(
    programs=PROGRAMS, session_directory="/shared/sessions", engine_directories=["/var/lib/engine"]
)
TAG = "--comment=clusterhub:hub.example.org:alice:"
OUTPUT = "--output=/shared/sessions/alice/default-%j.log"
SUBMIT = {"verb": "submit", "person": "alice", "argv": ["sbatch", TAG, OUTPUT], "stdin": "#!/bin/sh\n"}
ESTIMATE = {"verb": "estimate", "person": "alice", "argv": ["sbatch", "--test-only", TAG, OUTPUT]}
CANCEL = {"verb": "cancel", "person": "alice", "argv": ["scancel", "17"]}
SIGNAL = {"verb": "signal", "person": "alice", "program": "scancel", "job": "17", "signal": "TERM"}
READ = {"verb": "read-log", "person": "alice", "name": "default-17.log"}
LOGIN = {"verb": "authenticate", "person": "alice", "password": "secret"}


def with_option(*options: str) -> dict[str, Any]:
    return {**SUBMIT, "argv": ["sbatch", TAG, OUTPUT, *options]}


OPTIONS = [
    "--uid=0",
    "--gid=0",
    "--wrap=id",
    "--export=ALL,LD_PRELOAD=/home/bob/x.so",
    "--export=PATH",
    "--export-file=/etc/shadow",
    "--propagate=ALL",
    "--output=/etc/cron.d/x",
    "--error=/etc/cron.d/x",
    "--input=/etc/shadow",
    "-o",
    "-o/etc/cron.d/x",
    "-A root",
    "/home/bob/script.sh",
    "--",
    "-",
    "",
    "--out=/etc/cron.d/x",
    "--comment=clusterhub:hub.example.org:bob:",
    "--dependency=afterany:1",
    "--mail-user=bob@example.org",
    "--get-user-env",
    "--bcast=/etc/cron.d/x",
    "--task-prolog=/home/bob/x",
    "--parsable=1",
    "--time",
    "--time=",
    "--time=1;2",
    "--time=UNLIMITED\n",
    "--job-name=a\nb",
    "--job-name=a\0b",
    "--job-name=$(id)",
    "--job-name=`id`",
    "--job-name=a;b",
    "--job-name=a'b",
    '--job-name=a"b',
    "--job-name=-x",
    "--job-name=" + "a" * 200,
    "--job-name=é",
    "--job-name=\ud800",
    "--partition=a b",
    "--partition=../x",
    "--mem=-1",
    "--mem=9" + "9" * 40,
    "--nodes=1-2-3",
    "--cpus-per-task=１",  # noqa: RUF001 - a digit, but not one of ours
    "--gres=gpu:1;id",
    "--constraint=a b",
    "--signal=KILL@x",
    "--nice=--1",
    "--open-mode=write",
    "--chdir=home",
    "--chdir=/a\nb",
    "--chdir=/home/\u202ealice",
    "--chdir=/home/\u2028alice",
    "--JOB-NAME=a",
]
OUTPUTS = [
    "/etc/cron.d/x.log",
    "/shared/sessions/bob/default-%j.log",
    "/shared/sessions/alice/../bob/x.log",
    "/shared/sessions/alice//x.log",
    "/shared/sessions/alice/a/x.log",
    "/shared/sessions/alice/.x.log",
    "/shared/sessions/alice/x",
    "/shared/sessions/alice/%u.log",
    "/shared/sessions/alice/x\n.log",
    "/shared/sessions/alice/x.log\n",
    "/shared/sessionsalice/x.log",
    "shared/sessions/alice/x.log",
    "default.log",
    "",
]
TAGS = [
    "clusterhub:hub.example.org:bob:",
    "clusterhub:hub.example.org:alice",
    "clusterhub:hub.example.org:alice:a:b",
    "clusterhub::alice:",
    "other:hub.example.org:alice:",
    "clusterhub:hub:bob:alice:",
    "clusterhub:hub:alice:\n",
    "clusterhub:hub:alice:$(id)",
    "",
]
PEOPLE: list[Any] = [
    "",
    ".",
    "..",
    "../bob",
    "a/b",
    "-alice",
    "--user=bob",
    "alice bob",
    "alice\n",
    "alice\0",
    "alice;id",
    "$(id)",
    "alice$",
    "älice",
    "a" * 65,
    0,
    None,
    True,
    ["alice"],
    {"name": "alice"},
]
JOBS: list[Any] = [
    *("1;2", "1 2", "1,2", "1_2", "1+1", "-1", "0", "", "01", "1\n", "１", "9" * 11),  # noqa: RUF001 - as above
    *("--user=bob", "--me", "--state=PENDING", "-u", "--name=x", "*", "%1", 17, None, ["17"], True),
]
CANCELS = [
    ["scancel"],
    ["scancel", "1", "2"],
    ["scancel", "--user=bob", "17"],
    ["scancel", "--me", "17"],
    ["scancel", "--full", "--full", "17"],
    ["scancel", "--", "17"],
    ["sbatch", "17"],
    ["squeue", "17"],
    ["/usr/bin/scancel", "17"],
    ["bash", "-c", "id"],
    ["local-engine", "end-all", "--directory=/var/lib/engine", "1"],
    ["local-engine", "cancel", "--directory=/home/alice", "1"],
    ["local-engine", "submit", "1"],
    [],
    [""],
    "scancel 17",
    None,
    [17],
    [["scancel"], "17"],
    ["scancel"] + ["17"] * 100,
]
NAMES: list[Any] = [
    *("/etc/shadow", "../bob/default-1.log", "a/b.log", "..", ".log", ".bashrc", "default.ticket", "id_rsa"),
    *("x.log\n", "x\0.log", "x.log/", "-x.log", "a" * 200 + ".log", "", 1, None, ["x.log"]),
]
HOSTILE: list[Any] = [
    *(with_option(option) for option in OPTIONS),
    *({**SUBMIT, "argv": ["sbatch", TAG, f"--output={output}"]} for output in OUTPUTS),
    *({**SUBMIT, "argv": ["sbatch", f"--comment={tag}", OUTPUT]} for tag in TAGS),
    *({**request, "person": person} for request in (SUBMIT, CANCEL, READ, LOGIN) for person in PEOPLE),
    *({**CANCEL, "argv": ["scancel", job]} for job in JOBS),
    *({**SIGNAL, "job": job} for job in JOBS),
    *({**CANCEL, "argv": argv} for argv in CANCELS),
    *({**SUBMIT, "argv": argv} for argv in CANCELS),
    *({**READ, "name": name} for name in NAMES),
    *({**READ, "verb": "remove-ticket", "name": name} for name in NAMES if name != "default.ticket"),
    *({**READ, "bytes": count} for count in (0, -1, 1 << 30, 1.5, "9", True, None, [])),
    *({**SIGNAL, "signal": name} for name in ("9", 9, "KILL ", "SEGV", None, "TERM,1", [])),
    *({**SIGNAL, "program": name} for name in ("sbatch", "kill", "/bin/kill", "", None, 1)),
    *({**SUBMIT, "ticket": ticket} for ticket in ("x", {}, {"name": "a.ticket"}, [], 1, True)),
    *({**SUBMIT, "ticket": {"name": name, "text": "x"}} for name in NAMES if name != "default.ticket"),
    {**SUBMIT, "ticket": {"name": "a.ticket", "text": "x" * 5000}},
    {**SUBMIT, "ticket": {"name": "a.ticket", "text": "x", "mode": 0o777}},
    {**SUBMIT, "stdin": "#!/bin/sh\n#SBATCH --output=/etc/x\n"},
    {**SUBMIT, "stdin": "#!/bin/sh\0"},
    {**SUBMIT, "stdin": ["#!/bin/sh"]},
    {**SUBMIT, "uid": 0},
    {**SUBMIT, "environment": {"LD_PRELOAD": "x"}},
    {**SUBMIT, "argv": ["sbatch", TAG]},
    {**SUBMIT, "argv": ["sbatch", OUTPUT]},
    {**SUBMIT, "argv": ["sbatch", TAG, OUTPUT, OUTPUT]},
    {**LOGIN, "password": "a\0b"},
    {**LOGIN, "password": "a" * 1000},
    {**LOGIN, "password": None},
    {**LOGIN, "address": "$(id)"},
    {**LOGIN, "address": 1},
    {**LOGIN, "service": "su"},
    {**ESTIMATE, "argv": ["sbatch", TAG, OUTPUT]},  # it would submit
    {**ESTIMATE, "argv": ["sbatch", "--test-only", TAG]},
    {**ESTIMATE, "argv": ["sbatch", "--test-only", TAG.replace("alice", "bob"), OUTPUT]},
    {**ESTIMATE, "argv": ["sbatch", "--test-only=no", TAG, OUTPUT]},
    {**ESTIMATE, "stdin": "#!/bin/sh\n"},
    {**SUBMIT, "argv": ["sbatch", "--test-only", TAG, OUTPUT]},
    {"verb": "submit"},
    {"verb": "run", "person": "alice", "argv": ["id"]},
    {"verb": ["submit"], "person": "alice"},
    {"person": "alice"},
    {},
    [],
    [SUBMIT],
    "submit",
    None,
    17,
]


def test_the_requests_that_the_hostile_ones_are_made_from_are_good() -> None:
    """Else each of them could be refused for another reason than the one that is meant."""
    for request in (SUBMIT, ESTIMATE, CANCEL, SIGNAL, READ, LOGIN, with_option("--job-name=a", "--time=1")):
        check_request(request, CONFIGURATION)


@pytest.mark.parametrize("request_", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_request_is_refused(request_: Any) -> None:
    with pytest.raises(Refused):
        check_request(request_, CONFIGURATION)


@pytest.mark.parametrize(
    "text",
    [
        b'{"verb": "account", "person": "alice", "person": "root"}',
        b'{"verb": "account", "person": "alice"} {}',
        b"[" * 100_000,
        b'{"verb": "read-log", "person": "alice", "name": "a.log", "bytes": 1' + b"0" * 5000 + b"}",
        b"\xff" * 100,
        b" " * (REQUEST_BYTES + 1),
    ],
    ids=["key twice", "two documents", "deep", "huge number", "no text", "too long"],
)
def test_a_hostile_text_is_refused(text: bytes) -> None:
    with pytest.raises(Refused):
        parse_request(text, CONFIGURATION)


@pytest.mark.parametrize("person", ["root", "nobody", "daemon", "bin", "sys", "mail", "no-such-person"])
def test_nothing_is_done_as_a_system_account(person: str) -> None:
    with pytest.raises(Refused):
        permitted_account(person, CONFIGURATION, Caller(0, True, True, "clusterhub"))


def test_a_configuration_for_root_only_does_not_serve_root_through_sudo() -> None:
    configuration = CONFIGURATION._replace(only_person="root")
    with pytest.raises(Refused):
        permitted_account("root", configuration, Caller(0, True, True, "clusterhub"))


@pytest.fixture
def victim(own_helper: OwnHelper) -> Iterator[OwnHelper]:
    """A helper whose programs leave a mark: at the end there must be none."""
    mark = own_helper.room / "mark"
    program = own_helper.room / "marking"
    program.write_text(f"#!{sys.executable} -I\nopen({str(mark)!r}, 'w').close()\n")
    program.chmod(0o755)
    own_helper.configuration["programs"] = {name: [str(program)] for name in PROGRAMS}
    yield own_helper
    assert not mark.exists()


def test_a_refused_request_has_no_effect(victim: OwnHelper) -> None:
    for option in ("--uid=0", "--wrap=id", "/bin/sh", "-o"):
        request = victim.submission(ticket={"name": "a.ticket", "text": "x"})
        request["argv"].append(option)
        assert victim.send(request)["error"]["kind"] == "refused"
    assert not victim.sessions.exists()


def test_a_session_directory_that_is_a_link_is_not_followed(victim: OwnHelper) -> None:
    elsewhere = victim.room / "elsewhere"
    elsewhere.mkdir()
    victim.sessions.mkdir()
    (victim.sessions / victim.person).symlink_to(elsewhere)
    reply = victim.send(victim.submission(ticket={"name": "a.ticket", "text": "secret"}))
    assert "error" in reply
    assert list(elsewhere.iterdir()) == []


def test_a_session_directory_that_others_may_write_is_refused(victim: OwnHelper) -> None:
    victim.sessions.mkdir()
    victim.sessions.chmod(0o777)
    assert "rename" in victim.send(victim.submission())["error"]["what"]


def test_a_directory_of_another_owner_is_refused(victim: OwnHelper) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory for somebody else")
    victim.sessions.mkdir()
    own = victim.sessions / victim.person
    own.mkdir()
    os.chown(own, pwd.getpwnam("nobody").pw_uid, -1)
    assert "belongs to another" in victim.send(victim.submission())["error"]["what"]


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_what_is_no_regular_file_is_not_read(own_helper: OwnHelper, kind: str) -> None:
    own = own_helper.sessions / own_helper.person
    own.mkdir(parents=True)
    if kind == "link":
        (own / "x.log").symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(own / "x.log")
    else:
        (own / "x.log").mkdir()
    assert "error" in own_helper.ask("read-log", name="x.log")
    assert own_helper.ask("list-logs") == {"logs": []}


def test_a_ticket_does_not_go_through_a_link(own_helper: OwnHelper) -> None:
    own_helper.send(own_helper.submission())
    target = own_helper.room / "target"
    target.write_text("untouched")
    link = own_helper.sessions / own_helper.person / "a.ticket"
    link.symlink_to(target)
    own_helper.send(own_helper.submission(ticket={"name": "a.ticket", "text": "secret"}))
    assert target.read_text() == "untouched"
    assert not link.is_symlink()


NASTY = st.sampled_from(
    [*OPTIONS, TAG, OUTPUT, "sbatch", "scancel", "local-engine", "submit", "cancel", "17"]
)
TEXTS = st.one_of(NASTY, st.text(max_size=30), st.sampled_from([one for one in PEOPLE + NAMES if one != ""]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
REQUESTS = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([SUBMIT, CANCEL, SIGNAL, READ, LOGIN, {"verb": "account", "person": "alice"}]),
    st.dictionaries(
        st.sampled_from(["verb", "person", "argv", "stdin", "ticket", "name", "bytes", "job", "signal", "x"]),
        st.one_of(VALUES, st.lists(NASTY, max_size=6), st.lists(TEXTS, max_size=6)),
        max_size=3,
    ),
)


@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(REQUESTS, VALUES))
def test_whatever_is_sent_is_refused_or_stays_within_the_rules(request_: Any) -> None:
    try:
        verb, fields = parse_request(json.dumps(request_).encode(), CONFIGURATION)
    except Refused:
        return
    person = fields["person"]
    assert Path(person).name == person
    assert not person.startswith(("-", "."))
    if "name" in fields:
        assert Path(fields["name"]).name == fields["name"]
        assert fields["name"].endswith((".log", ".ticket"))
    if verb in ("submit", "estimate"):
        options = dict(option.partition("=")[::2] for option in fields["argv"][1:])
        assert options.get("--comment", options.get("--tag", "")).split(":")[2] == person
        assert Path(options["--output"]).parent == Path("/shared/sessions") / person
        assert not {"--uid", "--gid", "--wrap", "--error", "--input"} & set(options)
    if verb in ("cancel", "signal"):
        assert fields["argv"][-1].isdigit()
        assert all(word.startswith("--") for word in fields["argv"][1:-1] if word != "cancel")


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_bytes_are_sent_are_refused(text: bytes) -> None:
    with pytest.raises(Refused):
        parse_request(text, CONFIGURATION)
