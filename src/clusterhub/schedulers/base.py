"""The adapter that each batch system is: pure builders of commands and pure parsers of answers."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from clusterhub.schedulers.associations import Associations
from clusterhub.schedulers.capacity import Survey
from clusterhub.schedulers.model import (
    CommandResult,
    Job,
    JobRequest,
    Position,
    Submission,
    WaitReason,
)


class Scheduler(ABC):
    """One kind of batch system. Every command is a pair: a method that builds it, one that reads the answer.

    Nothing here does I/O but `programs`, which looks where programs lie. Commands that act for a person
    (submit, cancel) are run by the broker as that person; commands that only look (queue, accounting) are run
    by the hub as its own account. The first word of each command is a bare program name: `programs` says what
    it stands for.

    A job inherits the environment, the umask and the directory of the command that submits it, so whoever
    runs that command gives it a clean environment: HOME, USER, LOGNAME, SHELL, LANG, PATH and `environment`.
    """

    kind: ClassVar[str]
    """The scheduler's name in site.toml."""
    acting: ClassVar[tuple[str, ...]]
    """Names of the programs that act for a person; only these are the helper's to run."""
    runs_here: ClassVar[bool] = False
    """True where jobs run on the hub's own machine."""
    environment: Mapping[str, str] = MappingProxyType({})
    """What every command of this scheduler needs in its environment. Jobs inherit it."""
    look_environment: Mapping[str, str] = MappingProxyType({})
    """What the commands that only look need besides."""
    operators: ClassVar[tuple[str, ...]] = ("root",)
    """Accounts that act for no one person when they cancel a job."""
    grace: ClassVar[float] = 30.0
    """Seconds that a job may go on for after it was cancelled, before the scheduler kills it."""

    @abstractmethod
    def programs(self, commands: str | os.PathLike[str] | None = None) -> Mapping[str, tuple[str, ...]]:
        """What to run for each bare program name: an absolute path, then fixed leading arguments.

        ``commands`` is the directory to look in; None stands for PATH. Raises `ClusterhubError` where a
        program is missing.
        """

    @abstractmethod
    def submission(self, request: JobRequest) -> Submission:
        """The command and the script that submit this request."""

    @abstractmethod
    def parse_submission(self, result: CommandResult) -> str:
        """The new job's id.

        Raises `SubmitRefused` where the scheduler said no, `SubmitUnclear` where nobody can tell.
        """

    def estimate(self, request: JobRequest) -> tuple[str, ...] | None:  # noqa: ARG002 - nobody can tell
        """The command that asks, as the person, when such a job would start; it submits nothing.

        None where nobody can tell. Raises `SubmitRefused` where `submission` does.
        """
        return None

    def parse_estimate(self, result: CommandResult) -> float:
        """When it would start, in seconds since the epoch.

        Raises `SubmitRefused` where such a job would be refused, else `SchedulerError` as `parse_queue` does.
        """
        raise NotImplementedError(result)

    @abstractmethod
    def cancellation(self, job_id: str) -> tuple[str, ...]:
        """The command that ends a job, queued or running."""

    @abstractmethod
    def parse_cancellation(self, result: CommandResult) -> None:
        """Return where the scheduler took the cancel, or no longer knows the job. Else `SchedulerError`."""

    @abstractmethod
    def queue(self) -> tuple[str, ...]:
        """The command that lists every job of this hub that the scheduler still has in memory."""

    @abstractmethod
    def parse_queue(self, result: CommandResult) -> Mapping[str, Job]:
        """The jobs by id. Raises `SchedulerError` for anything but a whole, good answer."""

    @abstractmethod
    def wait_reason(self, job: Job) -> WaitReason | None:
        """Why a queued job waits; None where the scheduler has not looked at it yet."""

    def privacy(self) -> tuple[str, ...] | None:
        """The command that asks whether people may see each other's jobs; None where they may."""
        return None

    def parse_privacy(self, result: CommandResult) -> bool:
        """True where a site keeps jobs private, so that nobody is told of others' by us either.

        Raises `SchedulerError` as `parse_queue` does.
        """
        raise NotImplementedError(result)

    def positions(self) -> tuple[str, ...] | None:
        """The command that lists all jobs that wait, of anybody; None where their order cannot be told."""
        return None

    def parse_positions(self, result: CommandResult) -> Mapping[str, tuple[Position, ...]]:
        """The position of each job that waits for its turn, by id. May take a while: run it in a thread.

        Raises `SchedulerError` as `parse_queue` does.
        """
        raise NotImplementedError(result)

    def survey(self) -> tuple[tuple[str, ...], ...] | None:
        """The commands that ask for nodes, partitions and reservations; None where nobody can tell.

        The first is asked more often: the others' answers change by an operator's hand only.
        """
        return None

    def parse_survey(self, results: Sequence[CommandResult], taken_at: float) -> Survey:
        """What the cluster has, of the answers in the commands' order. May take a while, as `positions`.

        Raises `SchedulerError` as `parse_queue` does.
        """
        raise NotImplementedError(results)

    def associations(self) -> tuple[tuple[str, ...], ...] | None:
        """The commands that ask who may use which account, for everybody; None where nobody can tell."""
        return None

    def parse_associations(self, results: Sequence[CommandResult]) -> Associations:
        """What accounting says, of the answers in the commands' order. May take a while, as `positions`.

        Raises `SchedulerError` as `parse_queue` does.
        """
        raise NotImplementedError(results)

    @abstractmethod
    def accounting(self, job_ids: Iterable[str]) -> tuple[str, ...] | None:
        """The command that asks how jobs ended that left the queue; None where there is no such record."""

    @abstractmethod
    def parse_accounting(self, result: CommandResult) -> Mapping[str, Job]:
        """The jobs that accounting knows, by id. Raises `SchedulerError` as `parse_queue` does."""
