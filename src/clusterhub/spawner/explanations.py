"""Why a session ended, in words: recognised from the job's state, its exit code and its log. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clusterhub.errors import Explanation
from clusterhub.languages.text import _
from clusterhub.schedulers.model import Job, Memory, Outcome
from clusterhub.site.quantities import format_duration, format_size
from clusterhub.spawner.sentences import (
    EXIT_CODES,
    LAUNCHER_CAUSES,
    LAUNCHER_EXIT_CODES,
    LOG_CAUSES,
    MORE_MEMORY,
    OUTCOMES,
    SHOW_LINES,
    TRY_AGAIN,
    LogCause,
    Sentence,
)

LOG_LINES = 12
"""How many of the log's last lines a person is shown."""
LONGEST_QUOTE = 200
"""Characters of a log's own words within a sentence of ours."""
BY_SIGNAL = 128
"""A shell's exit code for a program that a signal ended is this and the signal's number."""

SOONER, LATER = 60, 300
"""Seconds by which the end may differ from a time limit. Slurm rounds up to minutes, looks at limits every
half a minute, and gives the job KillWait, as long unless the site sets more, to end by itself."""

_RAISED = re.compile(r"[A-Za-z_][\w.]*(?:: .+)?")
_MODULE = re.compile(r"ModuleNotFoundError|ImportError")


@dataclass(frozen=True)
class Asked:
    """What a session had asked for; None where its profile leaves that to the scheduler."""

    memory: Memory | None = None
    time: int | None = None
    """Seconds."""


def explain_ending(
    job: Job, log: str, *, profile: str = "", cancelled_by: str = "", asked: Asked | None = None
) -> Explanation:
    """What became of a job that has ended.

    ``log`` is the end of its log, ``profile`` the profile's title, ``cancelled_by`` whoever cancelled it, in
    a word that follows "by", where the scheduler tells.
    """
    lines = last_lines(log)
    sentence = _recognise(job, "\n".join(lines), log, cancelled_by, asked or Asked())
    where = _("job {job}").format(job=job.id)
    if job.nodes:
        where += _(" on {nodes}").format(nodes=", ".join(job.nodes))
    if profile:
        where += _(", profile {profile}").format(profile=profile)
    return Explanation(sentence.what, where, sentence.next, lines)


def _recognise(job: Job, lines: str, log: str, cancelled_by: str, asked: Asked) -> Sentence:
    code = job.exit_code
    candidates: Iterable[Callable[[], Sentence | None]] = (
        lambda: _outcome(job, cancelled_by, asked),
        lambda: _cause(LAUNCHER_CAUSES, lines, code),
        lambda: LAUNCHER_EXIT_CODES.get(code) if code is not None else None,
        lambda: _cause(LOG_CAUSES, lines, code),
        lambda: _raised(log) if code == 1 else None,
        lambda: EXIT_CODES.get(code) if code is not None else None,
        lambda: _signal(job),
    )
    for candidate in candidates:
        if sentence := candidate():
            return sentence
    if code is not None:
        return Sentence(_("Your session ended with exit code {code}.").format(code=code), TRY_AGAIN)
    return Sentence(_("Your session ended, and the scheduler does not say why."), TRY_AGAIN)


def _outcome(job: Job, cancelled_by: str, asked: Asked) -> Sentence | None:
    if job.outcome is None or job.outcome not in OUTCOMES:
        return None
    said = OUTCOMES[job.outcome]
    if job.outcome is Outcome.CANCELLED and cancelled_by:
        return Sentence(
            _("Your session's job was cancelled by {person}.").format(person=cancelled_by),
            said.next,
        )
    if job.outcome is Outcome.TIME_LIMIT and asked.time and _lasted(job, asked.time):
        return Sentence(
            _("Your session reached its time limit of {time}.").format(time=format_duration(asked.time)),
            said.next,
        )
    if job.outcome is Outcome.OUT_OF_MEMORY:
        return _out_of_memory(job.peak_memory, asked.memory)
    if job.outcome is Outcome.NODE_FAILED and job.nodes:
        nodes = ", ".join(job.nodes)
        what = _("The node {nodes} that your session ran on failed.")
        if len(job.nodes) > 1:
            what = _("One of the nodes {nodes} that your session ran on failed.")
        return Sentence(what.format(nodes=nodes), said.next)
    return said


def _lasted(job: Job, seconds: int) -> bool:
    """Whether it ran for about so long; else the scheduler was told another limit since, or suspended it."""
    if job.started_at is None or job.ends_at is None:
        return True
    return seconds - SOONER <= job.ends_at - job.started_at <= seconds + LATER


def _out_of_memory(used: int | None, asked: Memory | None) -> Sentence:
    what = _("Your session used more memory than it had asked for")
    if asked is not None:
        amount = format_size(asked.bytes)
        if asked.per == "cpu":
            amount = _("{amount} per core").format(amount=amount)
        what = _("Your session used more memory than the {amount} that it had asked for").format(
            amount=amount
        )
    if used is not None:
        # Looked at every few seconds, so at the moment of its end it held more than was last seen.
        what += _("; the most that was seen is {amount}").format(amount=_about(used))
    return Sentence(what + ".", MORE_MEMORY)


def _about(size: int) -> str:
    """A measured size, to a tenth of its unit."""
    power = next((power for power in (4, 3, 2, 1) if size >= 1024**power), 0)
    return f"{size / 1024**power:.1f} {'KMGT'[power - 1]}iB" if power else f"{size} bytes"


def _cause(causes: Iterable[LogCause], lines: str, code: int | None) -> Sentence | None:
    for cause in causes:
        if cause.exit_code is not None and cause.exit_code != code:
            continue
        if found := cause.pattern.search(lines):
            groups = (group[:LONGEST_QUOTE] for group in found.groups())
            return Sentence(cause.sentence.what.format(*groups), cause.sentence.next)
    return None


def _raised(log: str) -> Sentence | None:
    """The exception that ended Python: the last line of a traceback that is among the log's last lines.

    A server survives most exceptions and logs them: only one that nothing much was said after ended it.
    """
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    traceback, raised = False, None
    for number, line in enumerate(lines):
        if line.startswith("Traceback (most recent call last):"):
            traceback = True
        elif traceback and not line.startswith((" ", "\t")):
            traceback = False
            if _RAISED.fullmatch(line) and number >= len(lines) - LOG_LINES:
                raised = line[:LONGEST_QUOTE]
    if raised is None:
        return None
    return Sentence(
        _("Your session failed: {raised}").format(raised=raised),
        SHOW_LINES if _MODULE.match(raised) else TRY_AGAIN,
    )


def _signal(job: Job) -> Sentence | None:
    number = job.signal or 0
    if not number and job.exit_code is not None and job.exit_code > BY_SIGNAL:
        number = job.exit_code - BY_SIGNAL
        if number not in {each.value for each in signal.Signals}:
            return None
    if not number:
        return None
    again = TRY_AGAIN
    if number == signal.SIGKILL:
        again = _("Start it again; if it was short of memory, with more of it.")
    return Sentence(_("Your session was ended by {signal}.").format(signal=_signal_name(number)), again)


def _signal_name(number: int) -> str:
    try:
        return _("{name} (signal {number})").format(name=signal.Signals(number).name, number=number)
    except ValueError:
        return _("signal {number}").format(number=number)


def last_lines(log: str) -> tuple[str, ...]:
    """The last lines of a log that say something, each cut to a readable length."""
    return tuple(line.rstrip()[:300] for line in log.splitlines() if line.strip())[-LOG_LINES:]
