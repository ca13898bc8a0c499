"""A scheduler whose answers a test lays on a table: no process is started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.model import (
    CommandResult,
    Job,
    JobRequest,
    JobState,
    SchedulerError,
    Submission,
    WaitReason,
)

RUNNING = Job("7", JobState.RUNNING)


class Table(Scheduler):
    """A scheduler whose answers lie on a table."""

    kind = "table"
    environment = MappingProxyType({"CONF": "x"})
    look_environment = MappingProxyType({"FORMAT": "%s"})

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {"7": RUNNING}
        self.accounts: dict[str, Job] | None = {}
        self.error: Exception | None = None
        self.accounting_error: type[Exception] = SchedulerError
        """Raised where there are no ``accounts``."""
        self.hold: asyncio.Event | None = None
        self.hold_accounting: asyncio.Event | None = None
        self.asked: list[tuple[str, ...]] = []
        self.environments: list[Mapping[str, str]] = []

    async def run(
        self,
        argv: tuple[str, ...],
        *,
        environment: Mapping[str, str],
        timeout: float,  # noqa: ARG002 - the watch's call
    ) -> CommandResult:
        self.asked.append(argv)
        self.environments.append(environment)
        hold = self.hold if argv[0] == "/bin/look" else self.hold_accounting or self.hold
        if hold is not None:
            await hold.wait()
        return CommandResult(0, "", "")

    def looks(self) -> int:
        return sum(argv[0] == "/bin/look" for argv in self.asked)

    def wait_reason(self, job: Job) -> WaitReason | None:
        raise NotImplementedError

    def programs(self, commands: object = None) -> Mapping[str, tuple[str, ...]]:  # noqa: ARG002 - there are none
        return {"look": ("/bin/look",), "account": ("/bin/account",)}

    def submission(self, request: JobRequest) -> Submission:
        raise NotImplementedError

    def parse_submission(self, result: CommandResult) -> str:
        raise NotImplementedError

    def cancellation(self, job_id: str) -> tuple[str, ...]:
        raise NotImplementedError

    def parse_cancellation(self, result: CommandResult) -> None:
        raise NotImplementedError

    def queue(self) -> tuple[str, ...]:
        return ("look",)

    def parse_queue(self, result: CommandResult) -> Mapping[str, Job]:  # noqa: ARG002 - it lies on the table
        if self.error is not None:
            raise self.error
        return dict(self.jobs)

    def accounting(self, job_ids: Iterable[str]) -> tuple[str, ...] | None:
        return ("account", *job_ids)

    def parse_accounting(self, result: CommandResult) -> Mapping[str, Job]:  # noqa: ARG002 - it lies on the table
        if self.accounts is None:
            raise self.accounting_error("accounting is away")
        return self.accounts
