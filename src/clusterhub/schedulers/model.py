"""What every scheduler has in common: requests, jobs, snapshots. Values only; nothing here does I/O."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from clusterhub.errors import ClusterhubError


class JobState(enum.Enum):
    """Where a job is in its life. UNKNOWN means that we could not tell, and changes nothing."""

    QUEUED = "queued"
    STARTING = "starting"  # nodes are given; the scheduler is booting or configuring them
    RUNNING = "running"
    SUSPENDED = "suspended"
    ENDING = "ending"  # it will not run again; the scheduler is still cleaning up
    ENDED = "ended"
    UNKNOWN = "unknown"

    @property
    def is_live(self) -> bool:
        """True while the job runs or may yet run."""
        return self in (JobState.QUEUED, JobState.STARTING, JobState.RUNNING, JobState.SUSPENDED)

    @property
    def is_over(self) -> bool:
        """True once the job cannot run any more."""
        return self in (JobState.ENDING, JobState.ENDED)


class Outcome(enum.Enum):
    """How a job ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIME_LIMIT = "time limit"
    OUT_OF_MEMORY = "out of memory"
    NODE_FAILED = "node failed"
    BOOT_FAILED = "boot failed"
    PREEMPTED = "preempted"
    DEADLINE = "deadline"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Memory:
    """An amount of memory, per node or per CPU."""

    bytes: int
    per: Literal["node", "cpu"] = "node"


@dataclass(frozen=True)
class Gpus:
    """GPUs per node; ``type`` is the scheduler's word for the model, None for any."""

    count: int
    type: str | None = None


@dataclass(frozen=True)
class JobRequest:
    """The resolved, checked thing to submit. Everything optional that is None or empty is left out."""

    tag: str
    """Unique to this hub and this session; see `clusterhub.spawner.tags`. Travels in the job's comment."""
    name: str
    person: str
    log_path: str
    """Absolute path of the job's log. ``{job}`` in it stands for the job's id."""
    body: str
    """Bash text that starts the session, without the ``#!`` line; prologue and epilogue are not in it."""
    time_seconds: int
    warning_seconds: int = 0
    """How long before its end the script gets SIGUSR1; 0: it does not."""
    cpus: int = 1
    nodes: int = 1
    memory: Memory | None = None
    gpus: Gpus | None = None
    partitions: tuple[str, ...] = ()
    account: str | None = None
    qos: str | None = None
    reservation: str | None = None
    constraint: str | None = None
    nice: int | None = None
    working_directory: str | None = None
    """Absolute path; None is the person's home."""
    prologue: str = ""
    epilogue: str = ""
    directives: tuple[str, ...] = ()
    """Further options in the scheduler's own words, from the operator only, such as ``--licenses=matlab``."""


@dataclass(frozen=True)
class Submission:
    """A rendered job request: what the broker hands to the helper.

    ``argv[0]`` is the program's bare name (``sbatch``); the helper knows where it lies.
    ``stdin`` is the job script.
    """

    argv: tuple[str, ...]
    stdin: str


@dataclass(frozen=True)
class WaitReason:
    """Why a job waits."""

    word: str
    """The scheduler's own word for it; empty where it has none."""
    why: str
    """In a person's words: a clause that goes on after "the job waits:"."""
    next: str = ""
    """What the person can do, in whole sentences; empty where nothing is to be done but to wait."""
    competes: bool = True
    """Whether it waits for its turn. If not, such as while it is held, its position means nothing."""


@dataclass(frozen=True)
class Position:
    """How many jobs, of anybody, are to have their turn before a job that waits."""

    ahead: int
    partition: str = ""
    """The partition for which they wait; empty where the scheduler has none."""
    at_least: bool = False
    """True where there may be more than could be counted."""


@dataclass(frozen=True)
class CommandResult:
    """What an outside command answered. Exit code None: it was cut off (see ``problem``)."""

    exit_code: int | None
    stdout: str
    stderr: str
    problem: str = ""


@dataclass(frozen=True)
class Job:
    """A scheduler's record of one job. Times are seconds since the epoch, None where not known."""

    id: str
    state: JobState
    tag: str = ""
    person: str = ""
    name: str = ""
    partition: str = ""
    nodes: tuple[str, ...] = ()
    reason: str = ""
    """The scheduler's own word for why the job waits, or why it ended."""
    cancelled_by: int | None = None
    """The uid of whoever cancelled it; None where it was not cancelled, or nobody tells by whom."""
    outcome: Outcome | None = None
    exit_code: int | None = None
    signal: int | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    """When it started to run; None while it waits."""
    expected_start: float | None = None
    ends_at: float | None = None
    """When its time limit will end it, or when it ended."""
    restarts: int = 0
    """How often the scheduler has started it again under the same id."""
    peak_memory: int | None = None
    """The most memory that one of its tasks was seen to hold, in bytes; None where nobody measured it.

    It is looked at every few seconds (Slurm: JobAcctGatherFrequency), so a job may have held more than this.
    """


@dataclass(frozen=True)
class Snapshot:
    """The queue as it was at one moment, or the error that kept us from seeing it.

    With an error, ``jobs`` and ``taken_at`` are those of the last good look: unknown is not dead.
    """

    taken_at: float | None = None
    """Seconds since the epoch of the last good look; None before the first."""
    jobs: Mapping[str, Job] = field(default_factory=lambda: MappingProxyType({}))
    error: SchedulerError | None = None
    positions: Mapping[str, tuple[Position, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Of jobs that wait for their turn, by id: the position in each partition that the job may run in.

    Counted more rarely than the jobs are looked at, and not at all where nobody can tell.
    """

    def with_tag(self, tag: str, person: str | None = None) -> tuple[Job, ...]:
        """All jobs of that tag that are in the queue, newest first; with ``person`` only that person's own.

        Anybody can write any comment on a job of their own, so a tag proves nothing without the job's owner.
        """
        found = [
            job for job in self.jobs.values() if job.tag == tag and (person is None or job.person == person)
        ]
        return tuple(sorted(found, key=lambda job: (job.submitted_at or 0.0, job.id), reverse=True))


class SchedulerError(ClusterhubError):
    """The scheduler could not be asked, or its answer could not be read."""


class SubmitRefused(SchedulerError):
    """The scheduler said no to this request; nothing was submitted.

    ``field`` is what of the request it speaks of, as `JobRequest` names it but in the singular; empty where
    that is several things, or not known. ``too_much`` is true where a smaller request may do.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        next: str = "",  # noqa: A002 - as in its base
        field: str = "",
        too_much: bool = False,
    ) -> None:
        super().__init__(what, where=where, next=next)
        self.field = field
        self.too_much = too_much


class SubmitUnreached(SubmitRefused):
    """The scheduler never saw the request: nothing was submitted, and the same request may do later."""


class SubmitUnclear(SchedulerError):
    """No certain answer: the job may or may not be in the queue. Look for its tag."""
