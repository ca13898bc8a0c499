"""What the helper takes: the command lines that the hub really sends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clusterhub.privileged.helper.checks import check_cancellation, check_submission
from clusterhub.privileged.helper.configuration import Configuration, check_configuration
from clusterhub.privileged.helper.refusal import Refused
from clusterhub.privileged.helper.requests import check_request
from clusterhub.schedulers.local import LocalScheduler
from clusterhub.schedulers.model import Gpus, JobRequest, Memory
from clusterhub.schedulers.slurm import SlurmScheduler

from .options_of_sbatch import DIRECTIVE, OPTIONS_OF_SBATCH

PROGRAMS = {
    "sbatch": ["/usr/bin/sbatch"],
    "scancel": ["/usr/bin/scancel"],
    "local-engine": ["/usr/bin/python3", "-I", "-m", "clusterhub.schedulers.local_engine"],
}
CONFIGURATION = Configuration(
    programs=PROGRAMS,
    session_directory="/shared/sessions",
    directives=[DIRECTIVE],
    engine_directories=["/var/lib/engine"],
)
NEEDED = ["--comment=clusterhub:hub.example.org:alice:big", "--output=/shared/sessions/alice/big-%j.log"]


@pytest.mark.parametrize("option", OPTIONS_OF_SBATCH)
def test_an_option_of_the_hub_is_taken(option: str) -> None:
    argv = ["sbatch", *NEEDED, option]
    assert check_submission(argv, "alice", CONFIGURATION) == argv


@pytest.mark.parametrize("person", ["alice", "_svc", "a.b@example.org", "0x1", "Ana-Maria", "a+b"])
def test_a_name_as_directories_give_them_is_taken(person: str) -> None:
    argv = [
        "sbatch",
        f"--comment=clusterhub:h:{person}:",
        f"--output=/shared/sessions/{person}/default-%j.log",
    ]
    request = {"verb": "submit", "person": person, "argv": argv, "stdin": "#!/bin/sh\n"}
    assert check_request(request, CONFIGURATION)[1]["person"] == person


def test_a_directive_of_several_words_is_taken_as_a_whole_only() -> None:
    configuration = CONFIGURATION._replace(directives=["--licenses matlab"])
    check_submission(["sbatch", *NEEDED, "--licenses", "matlab"], "alice", configuration)
    for argv in (["--licenses"], ["matlab"], ["matlab", "--licenses"], ["--licenses matlab"]):
        with pytest.raises(Refused):
            check_submission(["sbatch", *NEEDED, *argv], "alice", configuration)


def request_for(person: str) -> JobRequest:
    return JobRequest(
        tag=f"clusterhub:hub.example.org:{person}:big",
        name="clusterhub",
        person=person,
        log_path=f"/shared/sessions/{person}/big-{{job}}.log",
        body="true",
        time_seconds=5400,
        cpus=2,
        memory=Memory(4 << 30),
        working_directory="/home/alice/My work",
    )


def test_what_the_local_engine_is_asked_is_taken() -> None:
    engine = LocalScheduler("/var/lib/engine", cpus=4, memory=8 << 30)
    check_submission(list(engine.submission(request_for("alice")).argv), "alice", CONFIGURATION)
    check_submission(list(engine.estimate(request_for("alice"))), "alice", CONFIGURATION, "estimate")
    check_cancellation(list(engine.cancellation("17")), CONFIGURATION)
    for argv in (["queue"], ["end-all"], ["cancel", "--directory=/home/alice", "17"]):
        with pytest.raises(Refused):
            check_cancellation(["local-engine", *argv], CONFIGURATION)


def test_what_slurm_is_asked_is_taken() -> None:
    request = replace(
        request_for("alice"),
        partitions=("interactive", "batch"),
        gpus=Gpus(1, "a100"),
        account="physics",
        nice=10,
        directives=("--licenses=matlab:2",),
    )
    check_submission(list(SlurmScheduler().submission(request).argv), "alice", CONFIGURATION)
    check_submission(list(SlurmScheduler().estimate(request)), "alice", CONFIGURATION, "estimate")
    check_cancellation(list(SlurmScheduler().cancellation("17")), CONFIGURATION)


@pytest.mark.parametrize("argv", [["scancel", "17"], ["scancel", "--full", "17"]])
def test_a_cancel_names_one_job(argv: list[str]) -> None:
    assert check_cancellation(argv, CONFIGURATION) == argv


def test_a_signal_becomes_the_command_of_its_program() -> None:
    request = {"verb": "signal", "person": "alice", "program": "scancel", "job": "17", "signal": "USR1"}
    assert check_request(request, CONFIGURATION)[1]["argv"] == ["scancel", "--full", "--signal=USR1", "17"]


def test_an_environment_is_looked_at_only_where_people_may_bring_one() -> None:
    request = {"verb": "look-at-environment", "person": "alice", "path": "/home/alice/venv"}
    with pytest.raises(Refused, match="no profile lets people bring an environment"):
        check_request(request, CONFIGURATION)
    allowed = CONFIGURATION._replace(own_environments=True)
    assert check_request(request, allowed)[1]["path"] == "/home/alice/venv"


@pytest.mark.parametrize("until", ["soon", 10, True, None, float("nan"), float("inf")])
def test_until_when_is_a_number_of_seconds(until: object) -> None:
    with pytest.raises(Refused) as refusal:
        check_request({"verb": "list-logs", "person": "alice", "until": until}, CONFIGURATION)
    assert refusal.value.where == "until"


def test_a_program_that_the_operator_did_not_list_is_not_run() -> None:
    configuration = CONFIGURATION._replace(programs={"sbatch": ["/usr/bin/sbatch"]})
    with pytest.raises(Refused):
        check_cancellation(["scancel", "17"], configuration)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("programs", {"sbatch": ["sbatch"]}),
        ("programs", {"rm": ["/bin/rm"]}),
        ("programs", {"sbatch": []}),
        ("programs", ["/usr/bin/sbatch"]),
        ("session_directory", "sessions"),
        ("session_directory", "/shared/../etc"),
        ("session_directory", "/shared/%u"),
        ("session_directory", "/shared/sessions/"),
        ("environment", {"A": 1}),
        ("pam_service", "../login"),
        ("allow", "alice"),
        ("minimum_uid", 0),
        ("minimum_uid", True),
        ("only_person", 1000),
        ("directives", ["licenses"]),
        ("directives", ["--licenses='a"]),
        ("program_seconds", 0),
        ("umask", 0o777),
        ("programme", {}),
    ],
)
def test_a_wrong_entry_of_the_configuration_is_named(key: str, value: Any) -> None:
    document = {"programs": PROGRAMS, "session_directory": "/shared/sessions", key: value}
    with pytest.raises(Refused) as refusal:
        check_configuration(document)
    assert refusal.value.where == key


@pytest.mark.parametrize("missing", ["programs", "session_directory"])
def test_a_missing_entry_of_the_configuration_is_named(missing: str) -> None:
    document = {"programs": PROGRAMS, "session_directory": "/shared/sessions"}
    del document[missing]
    with pytest.raises(Refused) as refusal:
        check_configuration(document)
    assert refusal.value.where == missing
