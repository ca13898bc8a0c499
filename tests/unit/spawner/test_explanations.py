"""Endings are recognised from state, exit code and log, and said in words."""

from dataclasses import replace

import pytest

from clusterhub.errors import Explanation
from clusterhub.schedulers.model import Job, JobState, Memory, Outcome
from clusterhub.schedulers.script import PROLOGUE_FAILED
from clusterhub.session import launcher
from clusterhub.spawner.explanations import LOG_LINES, Asked, explain_ending, last_lines
from clusterhub.spawner.messages import as_html


def ended(outcome: Outcome = Outcome.FAILED, code: int | None = 1, signal: int | None = None) -> Job:
    return Job("17", JobState.ENDED, nodes=("n1",), outcome=outcome, exit_code=code, signal=signal)


@pytest.mark.parametrize(
    ("job", "log", "said"),
    [
        (ended(Outcome.TIME_LIMIT), "", "reached its time limit"),
        (ended(Outcome.OUT_OF_MEMORY), "", "used more memory"),
        (ended(Outcome.NODE_FAILED), "", "node n1 that your session ran on failed"),
        (ended(Outcome.PREEMPTED), "", "more urgent work"),
        (ended(Outcome.BOOT_FAILED), "", "did not come up"),
        (ended(Outcome.DEADLINE), "", "before its deadline"),
        (ended(Outcome.CANCELLED), "", "was cancelled"),
        (ended(code=launcher.NO_ENVIRONMENT), "", "environment is missing"),
        (ended(code=launcher.NO_PORT), "", "No port"),
        (ended(code=launcher.HUB_UNREACHABLE), "", "could not reach the hub"),
        (
            ended(code=launcher.HUB_UNREACHABLE),
            "<urlopen error [SSL: ...] certificate verify failed: self-signed certificate (_ssl.c:992)>",
            "has not the certificate of the hub: self-signed certificate.",
        ),
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


ASKED = Asked(Memory(4 * 2**30), time=7200)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (ended(Outcome.TIME_LIMIT), "reached its time limit of 2h."),
        (replace(ended(Outcome.TIME_LIMIT), started_at=60, ends_at=7320), "reached its time limit of 2h."),
        # An operator has shortened or extended it meanwhile.
        (replace(ended(Outcome.TIME_LIMIT), started_at=60, ends_at=3660), "reached its time limit."),
        (replace(ended(Outcome.TIME_LIMIT), started_at=60, ends_at=20000), "reached its time limit."),
        (ended(Outcome.OUT_OF_MEMORY), "more memory than the 4 GiB that it had asked for."),
        (
            replace(ended(Outcome.OUT_OF_MEMORY), peak_memory=int(3.87 * 2**30)),
            "than the 4 GiB that it had asked for; the most that was seen is 3.9 GiB.",
        ),
        (replace(ended(Outcome.OUT_OF_MEMORY), peak_memory=900), "seen is 900 bytes."),
        (replace(ended(Outcome.OUT_OF_MEMORY), peak_memory=150 * 2**20), "seen is 150.0 MiB."),
        (replace(ended(Outcome.NODE_FAILED), nodes=("n1", "n2")), "One of the nodes n1, n2 that your"),
        (replace(ended(Outcome.NODE_FAILED), nodes=()), "The node that your session ran on failed."),
    ],
)
def test_what_was_asked_and_what_was_seen_is_said(job: Job, said: str) -> None:
    assert said in explain_ending(job, "", asked=ASKED).what


def test_memory_of_each_core_is_said_to_be_that() -> None:
    asked = Asked(Memory(2**30, "cpu"))
    assert (
        "than the 1 GiB per core that" in explain_ending(ended(Outcome.OUT_OF_MEMORY), "", asked=asked).what
    )


@pytest.mark.parametrize("who", ["you", "an operator", "bob"])
def test_who_cancelled_is_said(who: str) -> None:
    explanation = explain_ending(ended(Outcome.CANCELLED), "", cancelled_by=who)
    assert explanation.what == f"Your session's job was cancelled by {who}."


TRACEBACK = """\
Traceback (most recent call last):
  File "<string>", line 1, in <module>
ModuleNotFoundError: No module named 'x'
"""
CHAINED = (
    TRACEBACK
    + """
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "<string>", line 3, in <module>
jupyter.Odd: it is odd
"""
)


@pytest.mark.parametrize(
    ("code", "log", "said"),
    [
        (1, TRACEBACK, "Your session failed: ModuleNotFoundError: No module named 'x'"),
        (1, CHAINED, "Your session failed: jupyter.Odd: it is odd"),
        (1, TRACEBACK + "and so on\n" * LOG_LINES, "exit code 1"),  # it went on for long after that
        (1, "[E 12:00] Uncaught exception\n    " + TRACEBACK.replace("\n", "\n    "), "exit code 1"),
        (2, TRACEBACK, "exit code 2"),
        (1, "Traceback (most recent call last):\n  File\n" + "E: " + "x" * 500, "E: " + "x" * 197),
        (127, "/bin/bash: line 3: module: command not found", "`module` is not there"),
        (1, "sh: 1: module: not found", "`module` is not there"),
        (PROLOGUE_FAILED, "ModuleCmd_Load.c(213):ERROR:105: Unable to locate", "module could not be loaded"),
        (PROLOGUE_FAILED, "Lmod has detected the following error:  No", "module could not be loaded"),
        (
            PROLOGUE_FAILED,
            "EnvironmentNameNotFound: Could not find conda environment: deep",
            "environment: deep",
        ),
        (PROLOGUE_FAILED, "CondaError: Run 'conda init' before 'conda activate'", "conda is not set up"),
        (
            PROLOGUE_FAILED,
            "CommandNotFoundError: Your shell has not been properly configured to use 'conda activate'.",
            "conda is not set up",
        ),
        (PROLOGUE_FAILED, "bash: line 2: conda: command not found", "conda is not set up"),
        (127, "bash: line 2: rstudio-server: command not found", "not there: rstudio-server."),
        (127, "", "started a program that is not there."),
        (126, "", "may not be run"),
        (
            launcher.NO_PORT,
            "clusterhub: all ports from 30000 to 30010 are taken on this node; the operator sets them",
            "on the node, 30000 to 30010, are taken",
        ),
        (
            launcher.REFUSED,
            "clusterhub: the hub did not accept this session: This hub speaks version 2 of the exchange",
            "of another version",
        ),
        (
            launcher.REFUSED,
            "clusterhub: the hub did not accept this session: The job is on n2.",
            "started: The job is on n2.",
        ),
        (1, "all ports from 1 to 2 are taken", "exit code 1"),  # anybody can print that
        (137, "", "ended by SIGKILL (signal 9)"),
        (143, "", "ended by SIGTERM (signal 15)"),
        (255, "", "exit code 255"),
    ],
)
def test_the_cause_is_read_from_exit_code_and_log(code: int, log: str, said: str) -> None:
    assert said in explain_ending(ended(code=code), log).what


def test_a_killed_session_is_told_of_memory() -> None:
    assert "memory" in explain_ending(ended(code=0, signal=9), "").next


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
