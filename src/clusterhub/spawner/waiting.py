"""Why a job waits, in a person's words: the scheduler's reason, its position, when it may start."""

from __future__ import annotations

import time
from collections.abc import Sequence

from clusterhub.schedulers.model import Job, JobState, Position, WaitReason
from clusterhub.site.schema import Profile

PARTITIONS_TOLD = 3
"""Of a job that may run in many partitions, the position is told for those with the fewest ahead."""

DAYS_BY_NAME = 6
"""A time that is no more days away than this is told with the name of its day; later ones with the date."""


def starts_ahead(others: int) -> str:
    """How many go before a start that is about to be submitted, to be added to a sentence about that."""
    if not others:
        return ""
    return "; one start is ahead" if others == 1 else f"; {others} starts are ahead"


def waiting_message(
    job: Job | None,
    reason: WaitReason | None = None,
    positions: Sequence[Position] = (),
    now: float | None = None,
) -> str:
    """One line of what a session is waiting for.

    ``reason`` is the scheduler's, as its adapter explains it; ``now`` is in seconds since the epoch.
    """
    if job is None:
        return "Submitted; the scheduler does not list the job yet."
    if job.state is JobState.QUEUED:
        words = _queued(job, reason, positions, time.time() if now is None else now)
    else:
        words = _given_nodes(job)
    if job.restarts:
        words += (
            " The scheduler took it back and runs it again: files are as they were saved, what kernels held"
            " in memory is lost."
        )
    return words


def joined_message(job: Job, profile: Profile) -> str:
    """What the page adds where a start found an earlier job in another partition than it chose; or ""."""
    there = frozenset(job.partition.split(","))
    if not profile.partition or there <= frozenset(profile.partition):
        return ""
    return (
        f" It is an earlier job of this server, in partition {job.partition}, which your start has joined. To"
        " have what you chose now, stop it and start again."
    )


def _given_nodes(job: Job) -> str:
    nodes = ", ".join(job.nodes[:3]) or "a node"
    if job.state is JobState.STARTING:
        return f"Job {job.id}: {nodes} is being made ready."
    if job.state is JobState.SUSPENDED:
        return f"Job {job.id} is suspended by the scheduler and will go on later."
    return f"Job {job.id} runs on {nodes}; Jupyter is starting."


def _queued(job: Job, reason: WaitReason | None, positions: Sequence[Position], now: float) -> str:
    if reason is None:
        return f"Job {job.id} is in the queue; the scheduler has not looked at it yet."
    word = f" ({reason.word})" if reason.word else ""
    sentences = [f"Job {job.id} waits: {reason.why}{word}."]
    if reason.next:
        sentences.append(reason.next)
    if reason.competes and positions:
        sentences.append(position_words(positions))
    if job.expected_start is not None and job.expected_start > now:
        sentences.append(f"Expected to start {when(job.expected_start, now)}.")
    elif reason.competes:
        sentences.append("When it will start is not known yet.")
    return " ".join(sentences)


def position_words(positions: Sequence[Position]) -> str:
    """How many jobs are ahead, in a sentence."""
    fewest = sorted(positions, key=lambda each: each.ahead)[:PARTITIONS_TOLD]
    first, *others = fewest
    verb = "is" if (first.ahead, first.at_least) == (1, False) else "are"
    jobs = "job" if verb == "is" else "jobs"
    told = f"{_number(first).capitalize()} {jobs} {verb} ahead of it{_partition(first)}"
    return "".join([told, *(f", {_number(each)}{_partition(each)}" for each in others), "."])


def _number(position: Position) -> str:
    if position.at_least:
        return f"more than {position.ahead:,}"
    return {0: "no", 1: "one"}.get(position.ahead, f"{position.ahead:,}")


def _partition(position: Position) -> str:
    return f" in partition {position.partition}" if position.partition else " in the queue"


def when(moment: float, now: float) -> str:
    """A time to come, as people say it: the day only where it is another one than today."""
    then, today = time.localtime(moment), time.localtime(now)
    clock = time.strftime("at %H:%M", then)
    if then[:3] == today[:3]:
        return clock
    days = (moment - now) / 86400
    return clock + time.strftime(" on %A" if days < DAYS_BY_NAME else " on %d %B", then)
