"""What a person's page says of a start: a history that tells each thing once, however often it changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from clusterhub.languages.text import _, joined, told
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.model import JobState, Snapshot
from clusterhub.spawner.waiting import Waiting, starts_ahead_words, waiting_for

AWAY = _("The scheduler cannot be reached at the moment; nothing is lost.")

LOOKING = _("No certain answer came to the submission; looking for the job in the queue.")


@dataclass(frozen=True)
class Progress:
    """How far a start is."""

    percent: int
    waiting: Waiting
    """What it waits for."""
    topic: str
    """What this is about. What comes next about the same takes its place in the history: a job may wait for
    a day while its position changes every minute."""
    log: tuple[str, ...] = ()
    """The last lines of the job's log, as far as somebody has looked."""


@dataclass(frozen=True)
class Told:
    """Something that was said of a start, and when that was so first. Times are seconds since the epoch."""

    since: float
    progress: Progress

    def as_event(self, now: float, submitted_at: float) -> dict[str, Any]:
        """For the stream of events that JupyterHub sends to the page.

        What is called ``clusterhub_...`` is for our own page, which shows the parts apart, and times in the
        person's own time zone. Clocks may differ, so how long ago something was goes in seconds.
        """
        waiting = self.progress.waiting
        expected = waiting.expected_start
        return {
            "progress": self.progress.percent,
            "message": told(waiting.in_one_line(now)),
            "clusterhub_topic": self.progress.topic,
            "clusterhub_words": told(joined(filter(None, [waiting.words, waiting.after]))),
            "clusterhub_since": self.since,
            "clusterhub_elapsed": max(0.0, now - submitted_at),
            "clusterhub_position": told(waiting.position),
            "clusterhub_competes": waiting.competes,
            "clusterhub_expected": expected,
            "clusterhub_expected_in": None if expected is None else max(0.0, expected - now),
            "clusterhub_log": list(self.progress.log),
        }


class History:
    """All that was said of a start, for whoever looks now or later."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._told: list[Told] = []
        self._noted = asyncio.Event()
        self.submitted_at = clock()
        """Seconds since the epoch, as the scheduler has it, else when this start began."""

    @property
    def told(self) -> tuple[Told, ...]:
        """All of it, the last being what is so now."""
        return tuple(self._told)

    def events(self) -> list[dict[str, Any]]:
        """All of it as the page's stream of events begins with it."""
        now = self._clock()
        return [each.as_event(now, self.submitted_at) for each in self._told]

    def note(self, progress: Progress) -> None:
        """Adds what is new, or puts it in the place of what was said last about the same."""
        last = self._told[-1] if self._told else None
        if last is not None and last.progress == progress:
            return
        if last is not None and last.progress.topic == progress.topic:
            self._told[-1] = Told(last.since, progress)
        else:
            self._told.append(Told(self._clock(), progress))
        noted, self._noted = self._noted, asyncio.Event()
        noted.set()

    async def follow(self) -> AsyncIterator[Told]:
        """The history from its beginning, and then what is added or changed. Does not end by itself."""
        count, last = 0, None
        while True:
            if count and self._told[count - 1] != last:
                last = self._told[count - 1]
            elif count < len(self._told):
                last = self._told[count]
                count += 1
            else:
                await self._noted.wait()
                continue
            yield last

    async def follow_events(self) -> AsyncIterator[dict[str, Any]]:
        """The same as events."""
        async for each in self.follow():
            yield each.as_event(self._clock(), self.submitted_at)


def progress_of(
    snapshot: Snapshot,
    job_id: str,
    *,
    scheduler: Scheduler,
    cluster: str,
    starts_ahead: int,
    looking: bool,
    boarded: bool,
    earlier_job: str,
    log: tuple[str, ...],
    now: float,
) -> Progress:
    """How far a start is. Pure.

    ``starts_ahead`` go before it while it is about to be submitted, ``looking`` is true while it is not known
    whether there is a job, ``boarded`` once the job has reported, ``earlier_job`` is what is to be said of
    one that was found, ``log`` the last lines of the job's log.
    """
    if boarded:
        waiting = Waiting(_("Job {job} has reported from its node; Jupyter is starting.").format(job=job_id))
        return Progress(80, waiting, "boarded", log)
    away = snapshot.error is not None
    if not job_id:
        submitting = _("Submitting to {cluster}{ahead}.").format(
            cluster=cluster, ahead=starts_ahead_words(starts_ahead)
        )
        words = AWAY if away else LOOKING if looking else submitting
        return Progress(5, Waiting(words), "submitting" if words is submitting else words)
    job = snapshot.jobs.get(job_id)
    reason = scheduler.wait_reason(job) if job is not None else None
    waiting = waiting_for(job, reason, snapshot.positions.get(job_id, ()), now)
    topic = waiting.words
    if job is not None and job.state is JobState.QUEUED and reason is not None:
        topic = f"{reason.word or reason.why}, {job.restarts}"
    told = replace(
        waiting,
        words=joined([AWAY, waiting.words]) if away else waiting.words,
        after=joined(filter(None, [waiting.after, earlier_job])),
    )
    runs = job is not None and job.state is JobState.RUNNING
    return Progress(50 if runs else 20, told, f"{topic}, {away}", log if runs else ())
