"""The embedded engine as the hub speaks to it: its commands and answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from clusterhub.schedulers.local import LocalScheduler
from clusterhub.schedulers.model import (
    CommandResult,
    Gpus,
    Job,
    JobState,
    Memory,
    Position,
    SchedulerError,
    SubmitRefused,
    SubmitUnclear,
)

from .requests import EMPTY, GIB


def answer(exit_code: int | None, stdout: str = "", stderr: str = "", problem: str = "") -> CommandResult:
    return CommandResult(exit_code, stdout, stderr, problem)


def record(number: int, state: str = "queued") -> dict[str, Any]:
    """A job as the engine prints it."""
    nothing = dict.fromkeys(("outcome", "started_at", "ended_at", "exit_code", "signal", "peak_memory"), None)
    words = {"tag": "t", "person": "alice", "name": "clusterhub", "node": "here", "reason": ""}
    return {**nothing, **words, "id": number, "state": state, "submitted_at": 1.0, "time": 60}


class TestCommands:
    local = LocalScheduler("/var/lib/engine", cpus=8, memory=16 * GIB, cluster="here")

    def test_a_request_becomes_options(self) -> None:
        request = replace(EMPTY, cpus=2, memory=Memory(GIB, "cpu"), working_directory="/scratch")
        assert self.local.submission(request).argv == (
            "local-engine",
            "submit",
            "--directory=/var/lib/engine",
            "--name=clusterhub",
            "--tag=clusterhub:hub.example.org:alice:",
            "--cpus=2",
            f"--memory={2 * GIB}",
            "--time=3600",
            "--output=/shared/sessions/alice/default-{job}.log",
            "--chdir=/scratch",
            "--capacity-cpus=8",
            f"--capacity-memory={16 * GIB}",
        )

    def test_what_is_not_asked_for_is_left_out(self) -> None:
        argv = LocalScheduler("/e").submission(EMPTY).argv
        assert [word.partition("=")[0] for word in argv if word.startswith("--")] == [
            "--directory",
            "--name",
            "--tag",
            "--cpus",
            "--time",
            "--output",
        ]

    @pytest.mark.parametrize("more", [{"nodes": 2}, {"gpus": Gpus(1)}])
    def test_what_one_machine_cannot_give_is_refused(self, more: dict[str, Any]) -> None:
        with pytest.raises(SubmitRefused, match="The local engine has no"):
            self.local.submission(replace(EMPTY, **more))

    def test_the_answers_to_a_submit(self) -> None:
        assert self.local.parse_submission(answer(0, "7\n")) == "7"
        with pytest.raises(SubmitRefused, match="cpus=9 is more"):
            self.local.parse_submission(answer(2, "", "local-engine: cpus=9 is more than all\n"))
        for unclear in (answer(None, "", "", "cut off"), answer(1, "", "Traceback"), answer(0, "")):
            with pytest.raises(SubmitUnclear):
                self.local.parse_submission(unclear)

    @pytest.mark.parametrize(
        "result", [answer(0, "{"), answer(0, '{"jobs": [{}]}'), answer(0), answer(1), answer(None)]
    )
    def test_a_queue_that_cannot_be_read_is_an_error(self, result: CommandResult) -> None:
        with pytest.raises(SchedulerError) as caught:
            self.local.parse_queue(result)
        assert caught.value.explanation.where == "local-engine queue on cluster here"

    def test_sessions_that_wait_know_their_position_and_those_ahead_by_their_numbers(self) -> None:
        assert self.local.positions() == ("local-engine", "queue", "--directory=/var/lib/engine")
        text = json.dumps({"jobs": [record(5), record(12), record(9), record(3, "running")]})
        assert self.local.parse_positions(answer(0, text)) == {
            "5": (Position(0),),
            "9": (Position(1),),
            "12": (Position(2),),
        }

    def test_who_cancelled_is_read_from_the_engines_reason(self) -> None:
        ended = {"state": "ended", "outcome": "cancelled", "reason": "by 1001"}
        [job] = self.local.parse_queue(answer(0, json.dumps({"jobs": [record(1) | ended]}))).values()
        assert (job.cancelled_by, job.reason) == (1001, "")

    @pytest.mark.parametrize(
        ("reason", "why"),
        [("Resources", "cores and memory"), ("Priority", "ahead of it"), ("Odd", "says: Odd")],
    )
    def test_why_a_session_waits_is_said(self, reason: str, why: str) -> None:
        said = self.local.wait_reason(Job("1", JobState.QUEUED, reason=reason))
        assert said is not None
        assert why in said.why
        assert self.local.wait_reason(Job("1", JobState.QUEUED)) is None

    def test_there_is_no_accounting(self) -> None:
        assert self.local.accounting(["7"]) is None
