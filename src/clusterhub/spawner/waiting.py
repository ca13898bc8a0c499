"""Why a job waits, in a person's words: the scheduler's reason, its position, when it may start."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clusterhub.languages.text import Text, _, counted, joined
from clusterhub.schedulers.model import Job, JobState, Position, WaitReason
from clusterhub.site.schema import Profile

PARTITIONS_TOLD = 3
"""Of a job that may run in many partitions, the position is told for those with the fewest ahead."""

TAKEN_BACK = _(
    "The scheduler took it back and runs it again: files are as they were saved, what "
    "kernels held in memory is lost."
)

DAYS = (
    _("on Monday"),
    _("on Tuesday"),
    _("on Wednesday"),
    _("on Thursday"),
    _("on Friday"),
    _("on Saturday"),
    _("on Sunday"),
)

DAYS_BY_NAME = 6
"""A time that is no more days away than this is told with the name of its day; later ones with the date."""


def starts_ahead_words(others: int) -> str:
    """How many go before a start that is about to be submitted, to be added to a sentence about that."""
    if not others:
        return ""
    return counted("; one start is ahead", "; {count} starts are ahead", others)


@dataclass(frozen=True)
class Waiting:
    """What a session waits for, in the parts that a page shows apart."""

    words: str
    """What it waits for, and what the person can do, in whole sentences."""
    position: str = ""
    """How many jobs are ahead, in a sentence; empty where nobody can tell, or it means nothing."""
    expected_start: float | None = None
    """Seconds since the epoch, and to come; None where the scheduler does not say."""
    competes: bool = False
    """Whether it waits for its turn, so that a time would be expected."""
    after: str = ""
    """What is to be known besides, in whole sentences."""

    def in_one_line(self, now: float) -> str:
        """All of it, for programs and terminals."""
        if self.expected_start is not None:
            start: str = _("Expected to start {when}.").format(when=when(self.expected_start, now))
        else:
            start = _("When it will start is not known yet.") if self.competes else ""
        return joined(filter(None, [self.words, self.position, start, self.after]))


def waiting_for(
    job: Job | None, reason: WaitReason | None, positions: Sequence[Position], now: float
) -> Waiting:
    """What a session waits for.

    ``reason`` is the scheduler's, as its adapter explains it; ``now`` is in seconds since the epoch.
    """
    if job is None:
        return Waiting(_("Submitted; the scheduler does not list the job yet."))
    waiting = _queued(job, reason, positions, now) if job.state is JobState.QUEUED else _given_nodes(job)
    return replace(waiting, after=TAKEN_BACK) if job.restarts else waiting


def waiting_message(
    job: Job | None,
    reason: WaitReason | None = None,
    positions: Sequence[Position] = (),
    now: float | None = None,
) -> str:
    """The same in one line."""
    now = time.time() if now is None else now
    return waiting_for(job, reason, positions, now).in_one_line(now)


def joined_message(job: Job, profile: Profile) -> str:
    """What the page adds where a start found an earlier job in another partition than it chose; or empty."""
    there = frozenset(job.partition.split(","))
    if not profile.partition or there <= frozenset(profile.partition):
        return ""
    return _(
        "It is an earlier job of this server, in partition {partition}, which your start has "
        "joined. To have what you chose now, stop it and start again."
    ).format(partition=job.partition)


def _given_nodes(job: Job) -> Waiting:
    nodes = ", ".join(job.nodes[:3]) or _("a node")
    if job.state is JobState.STARTING:
        return Waiting(_("Job {job}: {nodes} is being made ready.").format(job=job.id, nodes=nodes))
    if job.state is JobState.SUSPENDED:
        return Waiting(_("Job {job} is suspended by the scheduler and will go on later.").format(job=job.id))
    return Waiting(_("Job {job} runs on {nodes}; Jupyter is starting.").format(job=job.id, nodes=nodes))


def _queued(job: Job, reason: WaitReason | None, positions: Sequence[Position], now: float) -> Waiting:
    if reason is None:
        return Waiting(
            _("Job {job} is in the queue; the scheduler has not looked at it yet.").format(job=job.id)
        )
    word = f" ({reason.word})" if reason.word else ""
    words = _("Job {job} waits: {why}{word}.").format(job=job.id, why=reason.why, word=word)
    return Waiting(
        joined([words, reason.next]) if reason.next else words,
        position_words(positions) if reason.competes and positions else "",
        job.expected_start if job.expected_start is not None and job.expected_start > now else None,
        competes=reason.competes,
    )


def position_words(positions: Sequence[Position]) -> str:
    """How many jobs are ahead, in a sentence."""
    fewest = sorted(positions, key=lambda each: each.ahead)[:PARTITIONS_TOLD]
    first, *others = fewest
    told = [_jobs_ahead(first).format(where=_partition(first), ahead=f"{first.ahead:,}")]
    told += [_number(each) + _partition(each) for each in others]
    return joined(told, ", ") + "."


def _jobs_ahead(position: Position) -> Text:
    if position.at_least:
        return _("More than {ahead} jobs are ahead of it{where}")
    few = {0: _("No jobs are ahead of it{where}"), 1: _("One job is ahead of it{where}")}
    return few.get(position.ahead, _("{ahead} jobs are ahead of it{where}"))


def _number(position: Position) -> Text:
    number = f"{position.ahead:,}"
    if position.at_least:
        return _("more than {ahead}").format(ahead=number)
    return {0: _("none"), 1: _("one")}.get(position.ahead, Text(number))


def _partition(position: Position) -> Text:
    if not position.partition:
        return _(" in the queue")
    return _(" in partition {partition}").format(partition=position.partition)


def when(moment: float, now: float) -> Text:
    """A time to come, as people say it: the day only where it is another one than today."""
    then, today = time.localtime(moment), time.localtime(now)
    clock = _("at {time}").format(time=time.strftime("%H:%M", then))
    if then[:3] == today[:3]:
        return clock
    if (moment - now) / 86400 < DAYS_BY_NAME:
        return joined([clock, DAYS[then.tm_wday]])
    return joined([clock, _("on {date}").format(date=time.strftime("%Y-%m-%d", then))])
