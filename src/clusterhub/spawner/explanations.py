"""Why a session ended, in words: recognised from the job's state, its exit code and its log. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clusterhub.errors import Explanation
from clusterhub.schedulers.model import Job, Outcome
from clusterhub.schedulers.script import PROLOGUE_FAILED
from clusterhub.session import launcher

LOG_LINES = 12
"""How many of the log's last lines a person is shown."""


@dataclass(frozen=True)
class Sentence:
    """What happened, and what the person can do."""

    what: str
    next: str


OUTCOMES: dict[Outcome, Sentence] = {
    Outcome.COMPLETED: Sentence(
        "Your session ended by itself.", "Start it again when you need it; your files are as you saved them."
    ),
    Outcome.TIME_LIMIT: Sentence(
        "Your session reached its time limit.", "Start it again, with more time if you need it."
    ),
    Outcome.OUT_OF_MEMORY: Sentence(
        "Your session used more memory than it had asked for.", "Start it again with more memory."
    ),
    Outcome.NODE_FAILED: Sentence("The node that your session ran on failed.", "Start it again."),
    Outcome.BOOT_FAILED: Sentence("The node for your session did not come up.", "Start it again."),
    Outcome.PREEMPTED: Sentence(
        "The scheduler took your session's node for more urgent work.",
        "Start it again; a profile on another partition may not be preempted.",
    ),
    Outcome.DEADLINE: Sentence(
        "Your session could not end before its deadline.", "Start it again with less time."
    ),
    Outcome.CANCELLED: Sentence("Your session's job was cancelled.", "Start it again when you need it."),
}

EXIT_CODES: dict[int, Sentence] = {
    PROLOGUE_FAILED: Sentence(
        "The profile's prologue failed before Jupyter was started.",
        "Choose another profile, and show your operators the lines below.",
    ),
    launcher.NO_ENVIRONMENT: Sentence(
        "The Jupyter environment is missing on the node, or you may not read it.",
        "Choose another profile, and show your operators the lines below: the path must exist on every node "
        "and each directory above it must be open to you.",
    ),
    launcher.NO_PORT: Sentence(
        "No port could be opened on the node.", "Start it again; if that fails too, tell your operators."
    ),
    launcher.HUB_UNREACHABLE: Sentence(
        "The node could not reach the hub.",
        "Tell your operators: nodes must reach the address that [hub] internal_url names.",
    ),
    launcher.REFUSED: Sentence(
        "The hub did not accept the session that the job started.",
        "Start it again; if that fails too, show your operators the lines below.",
    ),
    launcher.NO_JUPYTER: Sentence(
        "The environment on the node has no working Jupyter in it.",
        "Choose another profile, and show your operators the lines below.",
    ),
    launcher.NO_TICKET: Sentence(
        "The session could not prove who it is.",
        "Tell your operators: munge does not work there, or the node does not share the sessions' directory.",
    ),
    126: Sentence("The job started a program that may not be run.", "Show your operators the lines below."),
    127: Sentence("The job started a program that is not there.", "Show your operators the lines below."),
}

LOG_PATTERNS: tuple[tuple[re.Pattern[str], Sentence], ...] = (
    (
        re.compile(r"Disk quota exceeded"),
        Sentence(
            "A file system that you write to is over its quota.",
            "Remove files you no longer need, then start again.",
        ),
    ),
    (
        re.compile(r"No space left on device"),
        Sentence("A file system is full.", "Remove files you no longer need, or tell your operators."),
    ),
    (
        re.compile(r"oom.kill|out of memory|MemoryError|Cannot allocate memory", re.IGNORECASE),
        Sentence("Your session ran out of memory.", "Start it again with more memory."),
    ),
    (
        re.compile(
            r"Lmod has detected the following error|Unable to locate a modulefile|module: command not found"
        ),
        Sentence(
            "A module could not be loaded.",
            "Choose another profile, and show your operators the lines below.",
        ),
    ),
)


def explain_ending(job: Job, log: str, *, profile: str = "", cancelled_by: str = "") -> Explanation:
    """What became of a job that has ended.

    ``log`` is the end of its log, ``profile`` the profile's title, ``cancelled_by`` the name of whoever
    cancelled it, where the scheduler tells.
    """
    lines = last_lines(log)
    sentence = _recognise(job, "\n".join(lines))
    what = sentence.what
    if job.outcome is Outcome.CANCELLED and cancelled_by:
        what = f"Your session's job was cancelled by {cancelled_by}."
    where = f"job {job.id}"
    if job.nodes:
        where += f" on {', '.join(job.nodes)}"
    if profile:
        where += f", profile {profile}"
    return Explanation(what, where, sentence.next, lines)


def _recognise(job: Job, log: str) -> Sentence:
    candidates: Iterable[Callable[[], Sentence | None]] = (
        lambda: OUTCOMES.get(job.outcome) if job.outcome not in (None, Outcome.FAILED) else None,
        lambda: EXIT_CODES.get(job.exit_code) if job.exit_code is not None else None,
        lambda: next((said for pattern, said in LOG_PATTERNS if pattern.search(log)), None),
    )
    for candidate in candidates:
        if sentence := candidate():
            return sentence
    again = "Start it again; if that fails too, show your operators the lines below."
    if job.signal:
        return Sentence(f"Your session was ended by {_signal_name(job.signal)}.", again)
    if job.exit_code is not None:
        return Sentence(f"Your session ended with exit code {job.exit_code}.", again)
    return Sentence("Your session ended, and the scheduler does not say why.", again)


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} (signal {number})"
    except ValueError:
        return f"signal {number}"


def last_lines(log: str) -> tuple[str, ...]:
    """The last lines of a log that say something, each cut to a readable length."""
    return tuple(line.rstrip()[:300] for line in log.splitlines() if line.strip())[-LOG_LINES:]
