"""Slurm 22.05 and later: sbatch, scancel, squeue, sacct and scontrol."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, NoReturn, TypeVar

from clusterhub.schedulers import (
    slurm_accounting,
    slurm_associations,
    slurm_nodes,
    slurm_positions,
    slurm_queue,
)
from clusterhub.schedulers.associations import Associations
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.capacity import Survey
from clusterhub.schedulers.locate import locate
from clusterhub.schedulers.model import (
    CommandResult,
    Job,
    JobRequest,
    Position,
    SchedulerError,
    Submission,
    SubmitRefused,
    SubmitUnclear,
    SubmitUnreached,
    WaitReason,
)
from clusterhub.schedulers.script import compose
from clusterhub.schedulers.slurm_quantities import write_duration, write_memory
from clusterhub.schedulers.slurm_reasons import wait_reason
from clusterhub.schedulers.slurm_refusals import (
    field,
    is_too_much,
    is_unclear,
    remedy,
    scheduler_sentence,
    was_unreached,
)

T = TypeVar("T")

LONGEST_WARNING = 65535
"""Seconds that --signal takes at most (sbatch's manual)."""

NEXT_LOOK = "Nothing is changed by this; the next look may succeed."

# What `sbatch --test-only` says, with SLURM_TIME_FORMAT=%s as the helper has it.
_WOULD_START = re.compile(r"^sbatch: Job \d+ to start at (\d{1,12}) using ", re.MULTILINE)
_SUBMITTED = re.compile(r"(\d+)(?:;\S+)?")
# scancel of 22.05 says nothing at all of a job that it does not know; later versions print these.
_NOTHING_TO_CANCEL = ("invalid job id specified", "already completing or completed", "already finished")


class SlurmScheduler(Scheduler):
    """One Slurm cluster.

    Parameters: ``job_name`` is the name that all jobs of this hub carry, by which the queue is asked for
    them; ``cluster`` is the cluster's name in site.toml, for messages; ``configuration`` is the path of its
    slurm.conf where that is not the default.
    """

    kind: ClassVar[str] = "slurm"
    acting: ClassVar[tuple[str, ...]] = ("sbatch", "scancel")
    operators: ClassVar[tuple[str, ...]] = ("root", "slurm")  # the latter as nearly all sites call SlurmUser
    grace: ClassVar[float] = 30.0  # KillWait, unless a site sets another
    # %s is seconds since the epoch: no time zone, no summer time, no format that the site prefers.
    look_environment = MappingProxyType({"SLURM_TIME_FORMAT": "%s"})

    def __init__(
        self,
        job_name: str = "clusterhub",
        *,
        cluster: str = "",
        configuration: str | os.PathLike[str] | None = None,
    ) -> None:
        self.job_name = job_name
        self.cluster = cluster
        if configuration is not None:
            self.environment = MappingProxyType({"SLURM_CONF": os.fspath(configuration)})

    def programs(self, commands: str | os.PathLike[str] | None = None) -> Mapping[str, tuple[str, ...]]:
        return {
            name: (locate(name, commands),)
            for name in ("sbatch", "scancel", "squeue", "sacct", "scontrol", "sacctmgr")
        }

    def submission(self, request: JobRequest) -> Submission:
        argv = ["sbatch", "--parsable", f"--job-name={request.name}", f"--comment={request.tag}"]
        if request.partitions:
            argv.append(f"--partition={','.join(request.partitions)}")
        for option, value in (
            ("account", request.account),
            ("qos", request.qos),
            ("reservation", request.reservation),
            ("constraint", request.constraint),
        ):
            if value:
                argv.append(f"--{option}={value}")
        # One task a node, which is the session on the first; SLURM_NTASKS then suits an srun without options.
        argv += [
            f"--nodes={request.nodes}",
            f"--ntasks={request.nodes}",
            f"--cpus-per-task={request.cpus}",
        ]
        if request.memory is not None:
            option = "mem" if request.memory.per == "node" else "mem-per-cpu"
            argv.append(f"--{option}={write_memory(request.memory)}")
        if request.gpus is not None and request.gpus.count:
            # --gres counts per node and is understood by every select plugin; --gpus-per-node only by
            # cons_tres.
            kind = f":{request.gpus.type}" if request.gpus.type else ""
            argv.append(f"--gres=gpu{kind}:{request.gpus.count}")
        argv.append(f"--time={write_duration(request.time_seconds)}")
        if request.warning_seconds:
            # B: to the script alone, which hands it on: other processes of the job would be killed by it.
            argv.append(f"--signal=B:USR1@{min(request.warning_seconds, LONGEST_WARNING)}")
        if request.nice is not None:
            argv.append(f"--nice={request.nice}")
        argv += [
            # The script goes home by itself: nothing here knows where a person's home is.
            f"--chdir={request.working_directory or '/'}",
            f"--output={request.log_path.replace('%', '%%').replace('{job}', '%j')}",
            # A requeued job goes on in the same log.
            "--open-mode=append",
            # Everything of the clean environment that the submitter is given, and no more. NONE and a list
            # make slurmd run the person's login shell; NIL, which should not, is taken for a list of one on
            # 22.05 (seen).
            "--export=ALL",
            # The limits of the hub's service are not the session's.
            "--propagate=NONE",
        ]
        for directive in request.directives:
            argv += shlex.split(directive)
        return Submission(tuple(argv), compose(request))

    def parse_submission(self, result: CommandResult) -> str:
        where = self._where("sbatch")
        submitted = _last_match(_SUBMITTED, result.stdout)
        if result.exit_code == 0 and submitted is not None:
            return submitted
        sentence = scheduler_sentence(result.stderr)
        if result.exit_code is not None and was_unreached(result.stderr) and submitted is None:
            raise SubmitUnreached(
                f"The Slurm controller cannot be reached: {sentence}",
                where=where,
                next="Nothing was submitted. Try again in a few minutes; if it stays so, tell the operator.",
            )
        if (
            result.exit_code in (None, 0)
            or submitted is not None
            or result.exit_code < 0
            or is_unclear(result.stderr)
        ):
            cause = result.problem or sentence or _ended(result)
            raise SubmitUnclear(
                f"Slurm gave no certain answer: {cause}",
                where=where,
                next="The job may be in the queue all the same: look for it before submitting again.",
            )
        raise _refused(f"Slurm refused the job: {sentence or _ended(result)}", where, sentence)

    def estimate(self, request: JobRequest) -> tuple[str, ...]:
        program, *options = self.submission(request).argv
        return (program, "--test-only", *options)

    def parse_estimate(self, result: CommandResult) -> float:
        where, sentence = self._where("sbatch --test-only"), scheduler_sentence(result.stderr)
        told = _WOULD_START.search(result.stderr)
        if result.exit_code == 0 and told is not None:
            return float(told[1])
        unclear = result.exit_code in (None, 0) or is_unclear(result.stderr) or was_unreached(result.stderr)
        if unclear or (result.exit_code or 0) < 0:
            cause = result.problem or sentence or _ended(result)
            raise SchedulerError(
                f"Slurm does not tell when it would start: {cause}", where=where, next=NEXT_LOOK
            )
        raise _refused(f"Slurm would refuse the job: {sentence or _ended(result)}", where, sentence)

    def cancellation(self, job_id: str) -> tuple[str, ...]:
        return ("scancel", job_id)

    def parse_cancellation(self, result: CommandResult) -> None:
        lowered = result.stderr.lower()
        if result.exit_code == 0 or any(words in lowered for words in _NOTHING_TO_CANCEL):
            return
        self._fail("scancel", result, "The cancel was not taken; it has to be tried again.")

    def queue(self) -> tuple[str, ...]:
        return (
            "squeue",
            "--noheader",
            "--all",
            "--local",
            "--states=all",
            f"--name={self.job_name}",
            f"--Format={slurm_queue.FORMAT}",
        )

    def parse_queue(self, result: CommandResult) -> Mapping[str, Job]:
        jobs = self._read("squeue", result, lambda text: slurm_queue.read_queue(text, self.job_name))
        return MappingProxyType(jobs)

    def wait_reason(self, job: Job) -> WaitReason | None:
        return wait_reason(job)

    def privacy(self) -> tuple[str, ...]:
        return ("scontrol", "show", "config")

    def parse_privacy(self, result: CommandResult) -> bool:
        return self._read("scontrol", result, slurm_positions.read_privacy)

    def positions(self) -> tuple[str, ...]:
        return (
            "squeue",
            "--noheader",
            "--all",
            "--local",
            "--states=PENDING",
            f"--format={slurm_positions.FORMAT}",
        )

    def parse_positions(self, result: CommandResult) -> Mapping[str, tuple[Position, ...]]:
        return MappingProxyType(self._read("squeue", result, slurm_positions.read_positions))

    def survey(self) -> tuple[tuple[str, ...], ...]:
        # --all: also what is hidden from the hub's own account, which profiles may name.
        show = ("scontrol", "--all", "--oneliner")
        return (
            (*show, "--detail", "show", "node"),
            (*show, "show", "partition"),
            (*show, "show", "reservation"),
        )

    def parse_survey(self, results: Sequence[CommandResult], taken_at: float) -> Survey:
        nodes, partitions, reservations = results
        return Survey(
            taken_at,
            self._read("scontrol", nodes, slurm_nodes.read_nodes),
            self._read("scontrol", partitions, slurm_nodes.read_partitions),
            self._read("scontrol", reservations, slurm_nodes.read_reservations),
        )

    def associations(self) -> tuple[tuple[str, ...], ...]:
        # No --local and no cluster's name: that of the scheduler is in the configuration, which says as well
        # whether accounting has a word in what jobs may have.
        show = ("sacctmgr", "--noheader", "--parsable2", "--readonly", "show")
        return (
            ("scontrol", "show", "config"),
            (*show, "association", f"format={slurm_associations.ASSOCIATION_FIELDS}"),
            (*show, "qos", f"format={slurm_associations.QOS_FIELDS}"),
            (*show, "user", f"format={slurm_associations.USER_FIELDS}"),
        )

    def parse_associations(self, results: Sequence[CommandResult]) -> Associations:
        configuration, *answers = results
        if not self._read("scontrol", configuration, slurm_associations.are_enforced):
            return Associations()  # such as where there is no accounting, which then has no answer either
        rows = [self._read("sacctmgr", answer, str) for answer in answers]
        return self._read(
            "sacctmgr", configuration, lambda text: slurm_associations.read_associations(text, *rows)
        )

    def accounting(self, job_ids: Iterable[str]) -> tuple[str, ...] | None:
        # --starttime: the default differs between versions, and sites limit how far back a query may go
        # (MaxQueryTimeRange).
        return (
            "sacct",
            "--noheader",
            "--parsable2",
            "--local",
            "--starttime=now-30days",
            f"--jobs={','.join(job_ids)}",
            f"--format={','.join(slurm_accounting.FIELDS)}",
        )

    def parse_accounting(self, result: CommandResult) -> Mapping[str, Job]:
        return MappingProxyType(self._read("sacct", result, slurm_accounting.read_accounting))

    def _where(self, program: str) -> str:
        return f"{program} on cluster {self.cluster}" if self.cluster else program

    def _read(self, program: str, result: CommandResult, read: Callable[[str], T]) -> T:
        """What the answer says.

        Raises SchedulerError for one that failed, was cut off, came with an error and nothing else, or that
        ``read`` cannot read (ValueError).
        """
        if (
            result.exit_code != 0
            or result.problem
            or (not result.stdout and "error:" in result.stderr.lower())
        ):
            self._fail(program, result, NEXT_LOOK)
        try:
            return read(result.stdout)
        except ValueError as error:
            raise SchedulerError(
                f"Slurm's answer cannot be read: {error}",
                where=self._where(program),
                next=f"{NEXT_LOOK} If it stays so, tell the operator.",
            ) from error

    def _fail(self, program: str, result: CommandResult, following: str) -> NoReturn:
        cause = result.problem or scheduler_sentence(result.stderr) or f"exit code {result.exit_code}"
        raise SchedulerError(f"Slurm did not answer: {cause}", where=self._where(program), next=following)


def _refused(what: str, where: str, sentence: str) -> SubmitRefused:
    following = remedy(sentence) or "Change the request, or show this message to the operator."
    return SubmitRefused(
        what, where=where, next=following, field=field(sentence), too_much=is_too_much(sentence)
    )


def _ended(result: CommandResult) -> str:
    return f"sbatch ended with exit code {result.exit_code}"


def _last_match(pattern: re.Pattern[str], text: str) -> str | None:
    """A site's wrapper or plugin may print before the id, which is the last line."""
    lines = text.split("\n")
    match = pattern.fullmatch(lines[-2].strip()) if len(lines) > 1 and not lines[-1] else None
    return match[1] if match else None
