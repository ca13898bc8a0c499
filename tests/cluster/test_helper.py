"""The helper as root, for real people, with a real Slurm and real passwords."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.real_cluster import RealCluster

from clusterhub.privileged.archive import ISOLATED, helper_archive

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(cluster: RealCluster) -> Iterator[Ask]:
    """Send the helper on the gateway a request."""
    sessions = cluster.shared / "helper-test"
    # The hosts have a /tmp of their own.
    configuration = cluster.shared / "helper-test.json"
    programs = {name: [f"/usr/bin/{name}"] for name in ("sbatch", "scancel")}
    configuration.write_text(
        json.dumps({"programs": programs, "session_directory": str(sessions), "allow": ["alice", "bob"]})
    )
    configuration.chmod(0o600)
    program = cluster.shared / "helper-test.zip"
    program.write_bytes(helper_archive())

    def send(verb: str, person: str, **fields: Any) -> dict[str, Any]:
        done = cluster.run(
            "gateway",
            ["/usr/bin/python3", ISOLATED, str(program), "--configuration", str(configuration)],
            input=json.dumps({"verb": verb, "person": person, **fields}),
        )
        assert done.returncode == 0, done.stderr
        reply: dict[str, Any] = json.loads(done.stdout)
        return reply

    yield send
    configuration.unlink()
    program.unlink()
    shutil.rmtree(sessions, ignore_errors=True)


def submit(ask: Ask, cluster: RealCluster, person: str, script: str) -> str:
    argv = [
        "sbatch",
        "--parsable",
        f"--comment=clusterhub:hub.example.org:{person}:",
        f"--output={cluster.shared}/helper-test/{person}/default-%j.log",
        "--export=ALL",
    ]
    reply = ask(
        "submit", person, argv=argv, stdin=script, ticket={"name": "default.ticket", "text": "secret"}
    )
    assert reply["exit_code"] == 0, reply
    return str(reply["stdout"]).strip()


def test_a_job_runs_as_the_person_and_its_log_is_read_as_the_person(ask: Ask, cluster: RealCluster) -> None:
    job = submit(ask, cluster, "alice", "#!/bin/sh\nid -un; umask; env | grep -c SUDO\n")
    cluster.wait_for_job(job, ["COMPLETED", "FAILED"])
    text = ask("read-log", "alice", name=f"default-{job}.log")["text"]
    assert text.split() == ["alice", "0022", "0"]


def test_another_person_reads_neither_log_nor_ticket(ask: Ask, cluster: RealCluster) -> None:
    job = submit(ask, cluster, "alice", "#!/bin/sh\necho private\n")
    cluster.wait_for_job(job, ["COMPLETED"])
    own = cluster.shared / "helper-test" / "alice"
    for name in (f"default-{job}.log", "default.ticket"):
        assert cluster.run("gateway", ["cat", str(own / name)], user="bob").returncode != 0
    assert ask("read-log", "bob", name=f"default-{job}.log")["text"] == ""


def test_a_link_to_somebody_elses_log_shows_nothing(ask: Ask, cluster: RealCluster) -> None:
    job = submit(ask, cluster, "alice", "#!/bin/sh\necho private\n")
    cluster.wait_for_job(job, ["COMPLETED"])
    submit(ask, cluster, "bob", "#!/bin/sh\n")
    root = cluster.shared / "helper-test"
    link = ["ln", "-sf", f"{root}/alice/default-{job}.log", f"{root}/bob/stolen.log"]
    subprocess.run(cluster.argv("gateway", link, "bob"), check=True)
    assert "error" in ask("read-log", "bob", name="stolen.log")


def test_the_scheduler_itself_refuses_to_cancel_somebody_elses_job(ask: Ask, cluster: RealCluster) -> None:
    job = submit(ask, cluster, "alice", "#!/bin/sh\nexec sleep 600\n")
    try:
        reply = ask("cancel", "bob", argv=["scancel", job])
        assert reply["exit_code"] != 0
        assert "denied" in reply["stderr"]
        assert cluster.job_state(job) in {"PENDING", "RUNNING"}
    finally:
        assert ask("cancel", "alice", argv=["scancel", job])["exit_code"] == 0
    cluster.wait_for_job(job, ["CANCELLED"])


def test_the_right_password_lets_in_and_a_wrong_one_does_not(ask: Ask, cluster: RealCluster) -> None:
    password = cluster.people["alice"].password
    assert ask("authenticate", "alice", password=password, address="192.0.2.7")["ok"] is True
    assert ask("authenticate", "alice", password=password + "x")["reason"] == "wrong-password"


def test_an_unknown_name_is_answered_like_a_wrong_password(ask: Ask) -> None:
    answers = [
        ask("authenticate", person, password="guess") for person in ("alice", "no-such-person", "root")
    ]
    assert [answer.get("reason") for answer in answers] == ["wrong-password"] * 3, answers
    assert answers[0] == answers[1] == answers[2]


def test_somebody_not_on_the_list_is_told_so_after_the_password(ask: Ask, cluster: RealCluster) -> None:
    assert ask("authenticate", "carol", password="guess")["reason"] == "wrong-password"
    reply = ask("authenticate", "carol", password=cluster.people["carol"].password)
    assert (reply["ok"], reply["reason"]) == (False, "not-allowed")


def test_an_expired_account_and_a_password_to_change_are_told_apart(ask: Ask, cluster: RealCluster) -> None:
    password = cluster.people["bob"].password
    subprocess.run(["/usr/bin/chage", "-E", "1", "bob"], check=True)
    try:
        assert ask("authenticate", "bob", password=password)["reason"] == "expired-account"
        subprocess.run(["/usr/bin/chage", "-E", "-1", "-d", "0", "bob"], check=True)
        assert ask("authenticate", "bob", password=password)["reason"] == "expired-password"
    finally:
        subprocess.run(["/usr/bin/chage", "-E", "-1", "-d", "2026-01-01", "bob"], check=True)
