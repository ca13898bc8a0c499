"""Endings are recognised from state, exit code and log, and said in words."""

import pytest

from clusterhub.errors import Explanation
from clusterhub.schedulers.model import Job, JobState, Outcome
from clusterhub.schedulers.script import PROLOGUE_FAILED
from clusterhub.session import launcher
from clusterhub.spawner.explanations import LOG_LINES, explain_ending, last_lines
from clusterhub.spawner.messages import as_html
from clusterhub.spawner.waiting import waiting_message


def ended(outcome: Outcome = Outcome.FAILED, code: int | None = 1, signal: int | None = None) -> Job:
    return Job("17", JobState.ENDED, nodes=("n1",), outcome=outcome, exit_code=code, signal=signal)


@pytest.mark.parametrize(
    ("job", "log", "said"),
    [
        (ended(Outcome.TIME_LIMIT), "", "reached its time limit"),
        (ended(Outcome.OUT_OF_MEMORY), "", "used more memory"),
        (ended(Outcome.NODE_FAILED), "", "node n1 that your session ran on failed"),
        (ended(Outcome.PREEMPTED), "", "more urgent work"),
        (ended(Outcome.CANCELLED), "", "was cancelled"),
        (ended(code=launcher.NO_ENVIRONMENT), "", "environment is missing"),
        (ended(code=launcher.NO_PORT), "", "No port"),
        (ended(code=launcher.HUB_UNREACHABLE), "", "could not reach the hub"),
        (ended(code=launcher.NO_JUPYTER), "", "no working Jupyter"),
        (ended(code=launcher.NO_TICKET), "", "could not prove"),
        (ended(code=launcher.REFUSED), "", "did not accept"),
        (ended(code=PROLOGUE_FAILED), "", "prologue failed"),
        (ended(), "OSError: [Errno 122] Disk quota exceeded", "over its quota"),
        (ended(), "OSError: [Errno 28] No space left on device", "is full"),
        (ended(), "Lmod has detected the following error: unknown module", "module could not be loaded"),
        (ended(), "something", "ended with exit code 1"),
        (ended(code=None, signal=11), "", "SIGSEGV"),
        (ended(Outcome.UNKNOWN, code=None), "", "does not say why"),
    ],
)
def test_each_ending_has_its_words_and_its_mend(job: Job, log: str, said: str) -> None:
    explanation = explain_ending(job, log, profile="Interactive")
    assert said in explanation.what
    assert explanation.next
    assert explanation.where in ("job 17 on n1, profile Interactive", "job 17, profile Interactive")


def test_the_last_lines_that_say_something_are_shown() -> None:
    log = "\n\n".join(f"line {number}" for number in range(100))
    lines = last_lines(log)
    assert len(lines) == LOG_LINES
    assert lines[-1] == "line 99"
    assert all(len(line) <= 300 for line in last_lines("x" * 5000))


def test_an_explanation_as_html_keeps_what_a_job_printed_from_being_markup() -> None:
    html = as_html(Explanation("a <b>", "job 1", "do & see", ("<script>alert(1)</script>",)))
    assert "<script>" not in html
    assert "a &lt;b&gt;" in html
    assert "do &amp; see" in html


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (None, "does not list the job yet"),
        (Job("17", JobState.QUEUED, reason="Resources"), "waits: as soon as there is room (Resources)"),
        (Job("17", JobState.QUEUED, reason="Odd"), "waits: the scheduler says: Odd"),
        (
            Job("17", JobState.QUEUED, reason="Resources", expected_start=2_000_000_000),
            "Expected to start at",
        ),
        (Job("17", JobState.STARTING, nodes=("n1",)), "n1 is being made ready"),
        (Job("17", JobState.RUNNING, nodes=("n1",)), "runs on n1"),
        (Job("17", JobState.SUSPENDED), "is suspended"),
        (Job("17", JobState.QUEUED, restarts=1), "what kernels held in memory is lost"),
    ],
)
def test_waiting_is_said_in_words(job: Job | None, said: str) -> None:
    assert said in waiting_message(job, {"Resources": "as soon as there is room"}, now=1_900_000_000)
