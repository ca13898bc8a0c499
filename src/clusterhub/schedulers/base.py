"""The adapter that each batch system is: pure builders of commands and pure parsers of answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from clusterhub.schedulers.model import CommandResult, Job, JobRequest, Submission


class Scheduler(ABC):
    """One kind of batch system. Every command is a pair: a method that builds it, one that reads the answer.

    Nothing here does I/O. Commands that act for a person (submit, cancel) are run by the broker as that
    person; commands that only look (queue, accounting) are run by the hub as its own account.
    """

    name: str
    reasons: Mapping[str, str] = MappingProxyType({})
    """The engine's words for why a job waits, each with a person's words for it."""

    @abstractmethod
    def submission(self, request: JobRequest) -> Submission:
        """The command and the script that submit this request."""

    @abstractmethod
    def parse_submission(self, result: CommandResult) -> str:
        """The new job's id.

        Raises `SubmitRefused` where the scheduler said no, `SubmitUnclear` where nobody can tell.
        """

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
    def accounting(self, job_ids: Iterable[str]) -> tuple[str, ...] | None:
        """The command that asks how jobs ended that left the queue; None where there is no such record."""

    @abstractmethod
    def parse_accounting(self, result: CommandResult) -> Mapping[str, Job]:
        """The jobs that accounting knows, by id. Raises `SchedulerError` as `parse_queue` does."""
