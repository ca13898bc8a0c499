"""The embedded engine: jobs are processes on this machine, with ids, states, limits and logs. No root, no
daemon.

The engine itself is the package `local_engine`, which is run as a program; here its commands are built and
its answers read.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn

from clusterhub.schedulers import local_engine
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.local_engine import PROGRAM, REFUSED
from clusterhub.schedulers.model import (
    CommandResult,
    Job,
    JobRequest,
    JobState,
    Outcome,
    Position,
    SchedulerError,
    Submission,
    SubmitRefused,
    SubmitUnclear,
    WaitReason,
)
from clusterhub.schedulers.script import compose

_WHY = {
    "Resources": "it starts as soon as enough cores and memory are free",
    "Priority": "other sessions are ahead of it in the queue",
}
_CANCELLED = "by "
"""What the engine gives as the reason of a cancelled job, followed by the canceller's uid."""


class LocalScheduler(Scheduler):
    """The embedded engine in one directory.

    Parameters: ``directory`` holds the engine's records; ``cpus`` and ``memory`` (bytes) are what all its
    sessions together may use, None for as much as they like; ``python`` runs the engine: one that has
    clusterhub installed and that every person may execute.
    """

    kind: ClassVar[str] = "local"
    runs_here: ClassVar[bool] = True
    acting: ClassVar[tuple[str, ...]] = (PROGRAM,)
    grace: ClassVar[float] = 10.0  # of the engine's supervisor

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        cpus: int | None = None,
        memory: int | None = None,
        job_name: str = "clusterhub",
        cluster: str = "",
        python: str = sys.executable,
    ) -> None:
        self.directory = os.fspath(directory)
        self.cpus = cpus
        self.memory = memory
        self.job_name = job_name
        self.cluster = cluster
        self.python = python

    def programs(self, commands: str | os.PathLike[str] | None = None) -> Mapping[str, tuple[str, ...]]:  # noqa: ARG002 - the engine comes with clusterhub
        return {PROGRAM: (self.python, "-I", "-m", local_engine.__name__)}

    def submission(self, request: JobRequest) -> Submission:
        """The command that submits; raises `SubmitRefused` for what one machine cannot give."""
        return Submission((*self._command("submit"), *self._options(request)), compose(request))

    def estimate(self, request: JobRequest) -> tuple[str, ...]:
        return (*self._command("estimate"), *self._options(request))

    def _options(self, request: JobRequest) -> tuple[str, ...]:
        asked = (("nodes", request.nodes > 1, "more than one node"), ("gpus", request.gpus, "GPUs"))
        for field, is_asked, what in asked:
            if is_asked:
                raise SubmitRefused(
                    f"The local engine has no {what} to give.",
                    where=self._where("submit"),
                    next="Choose a profile without, or one on another cluster.",
                    field=field,
                )
        options = {
            "name": request.name,
            "tag": request.tag,
            "cpus": request.cpus,
            "memory": _total(request),
            "time": request.time_seconds,
            "warning": request.warning_seconds or None,
            "output": request.log_path,
            "chdir": request.working_directory,
            "capacity-cpus": self.cpus,
            "capacity-memory": self.memory,
        }
        return tuple(f"--{option}={value}" for option, value in options.items() if value is not None)

    def parse_submission(self, result: CommandResult) -> str:
        job_id = result.stdout.removesuffix("\n")
        if result.exit_code == 0 and job_id.isdigit():
            return job_id
        cause = result.problem or _sentence(result.stderr) or f"exit code {result.exit_code}"
        if result.exit_code == REFUSED:
            raise self._refused(f"The local engine refused the job: {cause}", "submit")
        raise SubmitUnclear(
            f"The local engine gave no certain answer: {cause}",
            where=self._where("submit"),
            next="The job may be there all the same: look for it before submitting again.",
        )

    def parse_estimate(self, result: CommandResult) -> float:
        if result.exit_code == REFUSED:
            what = f"The local engine would refuse the job: {_sentence(result.stderr)}"
            raise self._refused(what, "estimate")
        if result.exit_code == 0:
            with contextlib.suppress(ValueError):
                return float(result.stdout)
        self._fail("estimate", result, "Nothing is changed by this; the next look may succeed.")
        return None

    def _refused(self, what: str, verb: str) -> SubmitRefused:
        field = next((name for name in ("cpus", "memory") if f"{name}=" in what), "")
        following = "Ask for less, or show this message to the operator."
        return SubmitRefused(what, where=self._where(verb), next=following, field=field)

    def cancellation(self, job_id: str) -> tuple[str, ...]:
        return (*self._command("cancel"), job_id)

    def parse_cancellation(self, result: CommandResult) -> None:
        if result.exit_code != 0:
            self._fail("cancel", result, "The cancel was not taken; it has to be tried again.")

    def queue(self) -> tuple[str, ...]:
        return (*self._command("queue"), f"--name={self.job_name}")

    def parse_queue(self, result: CommandResult) -> Mapping[str, Job]:
        jobs = self._jobs(result)
        return MappingProxyType({job.id: job for job in jobs})

    def wait_reason(self, job: Job) -> WaitReason | None:
        if not job.reason:
            return None
        return WaitReason(job.reason, _WHY.get(job.reason, f"the engine says: {job.reason}"))

    def positions(self) -> tuple[str, ...]:
        return self._command("queue")

    def parse_positions(self, result: CommandResult) -> Mapping[str, tuple[Position, ...]]:
        waiting = sorted(int(job.id) for job in self._jobs(result) if job.state is JobState.QUEUED)
        return MappingProxyType({str(number): (Position(ahead),) for ahead, number in enumerate(waiting)})

    def _jobs(self, result: CommandResult) -> list[Job]:
        if result.exit_code != 0 or result.problem:
            self._fail("queue", result, "Nothing is changed by this; the next look may succeed.")
        try:
            return [_read_job(record) for record in json.loads(result.stdout)["jobs"]]
        except (ValueError, KeyError, TypeError) as error:
            raise SchedulerError(
                f"The local engine's answer cannot be read: {error!r}",
                where=self._where("queue"),
                next="Nothing is changed by this; the next look may succeed.",
            ) from error

    def end_all(self) -> tuple[str, ...]:
        """The command that ends every job of this directory and returns when all are gone."""
        return self._command("end-all")

    def accounting(self, job_ids: Iterable[str]) -> tuple[str, ...] | None:  # noqa: ARG002 - there is none
        return None

    def parse_accounting(self, result: CommandResult) -> Mapping[str, Job]:  # noqa: ARG002 - there is none
        return MappingProxyType({})

    def _command(self, verb: str) -> tuple[str, ...]:
        return (PROGRAM, verb, f"--directory={self.directory}")

    def _where(self, verb: str) -> str:
        return f"{PROGRAM} {verb}" + (f" on cluster {self.cluster}" if self.cluster else "")

    def _fail(self, verb: str, result: CommandResult, following: str) -> NoReturn:
        cause = result.problem or _sentence(result.stderr) or f"exit code {result.exit_code}"
        raise SchedulerError(
            f"The local engine did not answer: {cause}", where=self._where(verb), next=following
        )


def _total(request: JobRequest) -> int | None:
    """Bytes of the whole job."""
    if request.memory is None:
        return None
    return request.memory.bytes * (request.cpus if request.memory.per == "cpu" else 1)


def _sentence(stderr: str) -> str:
    return "; ".join(line.removeprefix(f"{PROGRAM}: ") for line in stderr.splitlines() if line.strip())


def _read_job(record: Mapping[str, Any]) -> Job:
    outcome = Outcome(record["outcome"]) if record["outcome"] else None
    started, ended = record["started_at"], record["ended_at"]
    canceller = record["reason"].removeprefix(_CANCELLED) if outcome is Outcome.CANCELLED else ""
    return Job(
        id=str(record["id"]),
        state=JobState(record["state"]),
        tag=record["tag"],
        person=record["person"],
        name=record["name"],
        nodes=(record["node"],) if started is not None else (),
        reason="" if canceller.isdigit() else record["reason"],
        cancelled_by=int(canceller) if canceller.isdigit() else None,
        outcome=outcome,
        exit_code=record["exit_code"],
        signal=record["signal"],
        submitted_at=record["submitted_at"],
        started_at=started,
        ends_at=ended if ended is not None else started and started + record["time"],
        peak_memory=record["peak_memory"],
    )
