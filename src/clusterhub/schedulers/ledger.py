"""What looks at the queue and at accounting add up to. Pure: every change makes a new ledger.

A job is over when the queue says that it ended, or when it is in the queue no more and accounting says so.
Where accounting cannot answer, being absent from two good looks decides. A failed look changes nothing:
unknown is not dead.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from clusterhub.schedulers.model import Job, JobState, Outcome, Position, SchedulerError, Snapshot

ABSENCES = 2
"""Good looks without the job that together mean gone."""
ABSENCES_AGAINST_ACCOUNTING = 20
"""The same where accounting still says that the job lives: it may have lost the news of its end for ever."""
APART = 2.0
"""Seconds by which two looks must be apart to count as two."""
QUESTIONS = 5
"""How often accounting is asked about one job; the news of an end can reach it late."""
KEPT = 86400.0
"""Seconds for which an ending is kept."""


@dataclass(frozen=True)
class Missing:
    """A job that we know of and that is not in the queue, and no news of its end yet."""

    job: Job
    """As it was last seen; a bare id in state UNKNOWN where it never was."""
    since: float
    """A look counts as an absence only if it began later than this (seconds that never go back)."""
    absences: int = 0
    lives: bool = False
    """Accounting's last word: it has not ended."""


@dataclass(frozen=True)
class Ending:
    """A job that is over."""

    job: Job
    noticed_at: float
    questions: int = 0
    accounted: bool = False


@dataclass(frozen=True)
class Ledger:
    """The snapshot that everybody reads, and what it takes to make the next one."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    missing: Mapping[str, Missing] = field(default_factory=lambda: MappingProxyType({}))
    endings: Mapping[str, Ending] = field(default_factory=lambda: MappingProxyType({}))

    def ending(self, job_id: str) -> Job | None:
        """How the job ended; None while it has not, or while nobody knows."""
        found = self.endings.get(job_id)
        return found.job if found is not None else None

    def is_over(self, job_id: str) -> bool:
        """True once it is certain that the job will not run any more."""
        return job_id in self.endings

    def is_settled(self, job_id: str) -> bool:
        """True once nothing more is to be learned of how the job ended."""
        ending = self.endings.get(job_id)
        return ending is not None and (ending.accounted or ending.questions >= QUESTIONS)

    def knows(self, job_id: str) -> bool:
        """True for a job that is in the queue, over, or being looked for."""
        return job_id in self.snapshot.jobs or job_id in self.missing or job_id in self.endings

    def to_account(self) -> tuple[str, ...]:
        """The jobs that accounting should be asked about now."""
        ended = (
            job_id
            for job_id, ending in self.endings.items()
            if not ending.accounted and ending.questions < QUESTIONS
        )
        return (*self.missing, *ended)


def expect(ledger: Ledger, job_id: str, now: float) -> Ledger:
    """Look for a job from now on, such as one just submitted or one that an earlier hub left behind."""
    if ledger.knows(job_id):
        return ledger
    added = Missing(Job(job_id, JobState.UNKNOWN), since=now)
    return replace(ledger, missing=MappingProxyType({**ledger.missing, job_id: added}))


def counted(ledger: Ledger, positions: Mapping[str, tuple[Position, ...]]) -> Ledger:
    """The positions of all jobs that wait: kept are those of ours, until they are counted again."""
    ours = {job_id: positions[job_id] for job_id in ledger.snapshot.jobs if job_id in positions}
    return replace(ledger, snapshot=replace(ledger.snapshot, positions=MappingProxyType(ours)))


def look_failed(ledger: Ledger, error: SchedulerError) -> Ledger:
    """A look that gave no good answer: everything stays as it was, and the error is told."""
    return replace(ledger, snapshot=replace(ledger.snapshot, error=error))


def looked(
    ledger: Ledger, jobs: Mapping[str, Job], *, began: float, now: float, asked: Container[str] = ()
) -> Ledger:
    """A good look at the queue.

    ``asked`` are the jobs that accounting is being asked about: they are not given up before it answers.

    ``began`` is of the clock that never goes back, as `expect`'s time is; ``now`` is seconds since the epoch.
    """
    endings = {job_id: ending for job_id, ending in ledger.endings.items() if now - ending.noticed_at < KEPT}
    for job_id, job in jobs.items():
        if job.state is JobState.ENDED:
            if job_id not in endings:
                endings[job_id] = Ending(job, noticed_at=now)
        elif job.state is not JobState.UNKNOWN:
            # Requeued after its end: the same id runs again.
            endings.pop(job_id, None)
    missing = {
        job_id: _absent(entry, began)
        for job_id, entry in ledger.missing.items()
        if job_id not in jobs and job_id not in endings
    }
    for job_id, job in ledger.snapshot.jobs.items():
        if job_id not in jobs and job_id not in endings and job_id not in missing:
            missing[job_id] = Missing(job, since=began, absences=1)
    return _settled(replace(ledger, missing=missing, endings=endings), jobs, now=now, asked=asked)


def accounted(ledger: Ledger, asked: Iterable[str], answer: Mapping[str, Job], *, now: float) -> Ledger:
    """Accounting's answer about those jobs."""
    missing, endings = dict(ledger.missing), dict(ledger.endings)
    for job_id in asked:
        found = answer.get(job_id)
        if job_id in endings:
            endings[job_id] = _told(endings[job_id], found)
        elif job_id in missing and found is not None:
            entry = missing[job_id]
            if found.state is JobState.ENDED:
                endings[job_id] = Ending(_merged(entry.job, found), noticed_at=now, accounted=True)
                del missing[job_id]
            else:
                missing[job_id] = replace(entry, lives=found.state.is_live)
    return _settled(
        replace(ledger, missing=missing, endings=endings), ledger.snapshot.jobs, now=now, look=False
    )


def _absent(entry: Missing, began: float) -> Missing:
    """One more absence, unless the look began before the job was looked for, or hard upon the one before."""
    first = entry.absences == 0
    if began <= entry.since or (not first and began - entry.since < APART):
        return entry
    return replace(entry, since=began, absences=entry.absences + 1)


def _told(ending: Ending, found: Job | None) -> Ending:
    """An ending that was known, with what accounting adds: by whom, how much memory."""
    if found is None or found.state is not JobState.ENDED:
        return replace(ending, questions=ending.questions + 1)
    return replace(ending, job=_merged(ending.job, found), accounted=True)


def _merged(seen: Job, found: Job) -> Job:
    """Accounting's record, with what only the queue knows."""
    return replace(
        found,
        tag=found.tag or seen.tag,
        person=found.person or seen.person,
        name=found.name or seen.name,
        partition=found.partition or seen.partition,
        nodes=found.nodes or seen.nodes,
        reason=found.reason or seen.reason,
        cancelled_by=found.cancelled_by if found.cancelled_by is not None else seen.cancelled_by,
        outcome=seen.outcome if found.outcome in (None, Outcome.UNKNOWN) else found.outcome,
        signal=found.signal if found.signal is not None else seen.signal,
        restarts=max(found.restarts, seen.restarts),
    )


def _settled(
    ledger: Ledger, jobs: Mapping[str, Job], *, now: float, look: bool = True, asked: Container[str] = ()
) -> Ledger:
    """The ledger with those given up for gone that have been absent for long enough."""
    missing, endings = dict(ledger.missing), dict(ledger.endings)
    for job_id, entry in ledger.missing.items():
        enough = ABSENCES_AGAINST_ACCOUNTING if entry.lives else ABSENCES
        if entry.absences >= enough and job_id not in asked:
            gone = replace(entry.job, state=JobState.ENDED, outcome=Outcome.UNKNOWN)
            endings[job_id] = Ending(gone, noticed_at=now)
            del missing[job_id]
    snapshot = Snapshot(
        taken_at=now if look else ledger.snapshot.taken_at,
        jobs=MappingProxyType(dict(jobs)),
        error=None if look else ledger.snapshot.error,
        positions=ledger.snapshot.positions,
    )
    return Ledger(snapshot, MappingProxyType(missing), MappingProxyType(endings))
