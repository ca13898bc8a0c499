"""The engines that the contract is asked of: each can submit as a person, look at its queue and cancel."""

from __future__ import annotations

import os
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from tests.real_cluster import RealCluster

from clusterhub.privileged.helper.options import ESTIMATE_ENVIRONMENT
from clusterhub.privileged.helper.verbs import NO_SCRIPT
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.local import LocalScheduler
from clusterhub.schedulers.model import CommandResult, Job, JobRequest, JobState
from clusterhub.schedulers.slurm import SlurmScheduler

PATIENCE = 45.0
"""Seconds until a job that does not do what it should is given up."""
GATEWAY = "gateway"
NOTHING: Mapping[str, str] = MappingProxyType({})


class Engine(ABC):
    """One scheduler at work. ``files`` is a directory where the person's jobs may write."""

    scheduler: Scheduler
    person: str
    files: Path

    @abstractmethod
    def as_person(
        self, argv: tuple[str, ...], stdin: str = "", variables: Mapping[str, str] = NOTHING
    ) -> CommandResult:
        """Run a command that acts for the person, as the helper does; ``variables`` besides the usual."""

    @abstractmethod
    def as_hub(self, argv: tuple[str, ...]) -> CommandResult:
        """Run a command that only looks."""

    @abstractmethod
    def read(self, path: Path) -> str:
        """A file that a job wrote; empty where it is not there."""

    @abstractmethod
    def touch(self, path: Path) -> None:
        """Make a file that the person's jobs can see."""

    @abstractmethod
    def behind(self, blocker: str, request: JobRequest) -> JobRequest:
        """The request, so that its job cannot start while the blocker runs."""

    @abstractmethod
    def expire(self, job_id: str) -> None:
        """Let the time of a running job with one minute be up now, where the engine counts in minutes."""

    def request(self, name: str, body: str, **more: object) -> JobRequest:
        """A small request; ``name`` makes its tag unique."""
        request = JobRequest(
            tag=f"clusterhub:contract-{os.getpid()}:{self.person}:{name}",
            name=self.scheduler.job_name,  # type: ignore[attr-defined]  # both engines have it
            person=self.person,
            log_path=str(self.files / f"{name}-{{job}}.log"),
            body=body,
            time_seconds=600,
        )
        return replace(request, **more)  # type: ignore[arg-type]  # the callers' names are checked by replace

    def submit(self, request: JobRequest) -> str:
        submission = self.scheduler.submission(request)
        return self.scheduler.parse_submission(self.as_person(submission.argv, submission.stdin))

    def estimate(self, request: JobRequest) -> float:
        argv = self.scheduler.estimate(request)
        assert argv is not None
        return self.scheduler.parse_estimate(self.as_person(argv, NO_SCRIPT, ESTIMATE_ENVIRONMENT))

    def queue(self) -> Mapping[str, Job]:
        return self.scheduler.parse_queue(self.as_hub(self.scheduler.queue()))

    def cancel(self, job_id: str) -> None:
        self.scheduler.parse_cancellation(self.as_person(self.scheduler.cancellation(job_id)))

    def wait(self, job_id: str, *states: JobState) -> Job:
        """The job once it is in one of the states."""
        found: list[Job] = []

        def reached() -> bool:
            job = self.queue().get(job_id)
            found[:] = [job] if job is not None else []
            return job is not None and job.state in states

        wait_until(reached, lambda: f"job {job_id} is {found}, not in {states}")
        return found[0]

    def log(self, name: str, job_id: str) -> str:
        return self.read(self.files / f"{name}-{job_id}.log")


def wait_until(reached: Callable[[], bool], told: Callable[[], str]) -> None:
    """Look again and again: schedulers have no event to wait for."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(told())
        time.sleep(0.1)


class LocalEngine(Engine):
    """The embedded engine in a directory of its own, with two cores to give."""

    CPUS = 2

    def __init__(self, directory: Path) -> None:
        self.scheduler = LocalScheduler(directory / "engine", cpus=self.CPUS, memory=1024**3)
        self.person = subprocess.run(
            ["/usr/bin/id", "-un"], capture_output=True, text=True, check=True
        ).stdout.strip()
        self.files = directory / "files"
        self.files.mkdir(mode=0o700)

    def as_person(
        self, argv: tuple[str, ...], stdin: str = "", variables: Mapping[str, str] = NOTHING
    ) -> CommandResult:
        resolved = [*self.scheduler.programs()[argv[0]], *argv[1:]]
        done = subprocess.run(
            resolved,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=variables,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def as_hub(self, argv: tuple[str, ...]) -> CommandResult:
        return self.as_person(argv)

    def read(self, path: Path) -> str:
        return path.read_text() if path.exists() else ""

    def touch(self, path: Path) -> None:
        path.touch()

    def behind(self, blocker: str, request: JobRequest) -> JobRequest:
        del blocker
        return replace(request, cpus=self.CPUS)

    def expire(self, job_id: str) -> None:
        """Nothing to do: this engine counts in seconds."""

    def end_all(self) -> None:
        done = self.as_person(self.scheduler.end_all())  # type: ignore[attr-defined]  # a LocalScheduler
        assert done.exit_code == 0, done.stderr


class SlurmEngine(Engine):
    """The real cluster. The job name is this run's own, so that other users of the cluster are not seen."""

    def __init__(self, cluster: RealCluster) -> None:
        self.cluster = cluster
        self.scheduler = SlurmScheduler(f"contract-{os.getpid()}", cluster="main")
        self.person = "alice"
        self.files = Path(f"/shared/clusterhub/contract-{os.getpid()}")
        self._root("install", "-d", "-m", "700", "-o", self.person, str(self.files))

    def _root(self, *argv: str) -> None:
        done = self.cluster.run(GATEWAY, argv)
        assert done.returncode == 0, done.stderr

    def as_person(
        self, argv: tuple[str, ...], stdin: str = "", variables: Mapping[str, str] = NOTHING
    ) -> CommandResult:
        environment = {**self.scheduler.environment, **variables}
        done = self.cluster.run(GATEWAY, argv, self.person, input=stdin, env=environment)
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def as_hub(self, argv: tuple[str, ...]) -> CommandResult:
        environment = {**self.scheduler.environment, **self.scheduler.look_environment}
        # Another ordinary user: what the hub sees must not depend on its being root.
        done = self.cluster.run(GATEWAY, argv, "carol", env=environment)
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def read(self, path: Path) -> str:
        return self.cluster.run(GATEWAY, ["cat", str(path)]).stdout

    def touch(self, path: Path) -> None:
        self._root("touch", str(path))

    def behind(self, blocker: str, request: JobRequest) -> JobRequest:
        return replace(request, directives=(f"--dependency=afterany:{blocker}",))

    def expire(self, job_id: str) -> None:
        # Not "now": an end before the job's begin, which is in whole seconds too, is refused.
        self._root("scontrol", "update", f"JobId={job_id}", "EndTime=now+1")

    def end_all(self) -> None:
        self._root("scancel", f"--name={self.scheduler.job_name}")  # type: ignore[attr-defined]  # a SlurmScheduler
        self._root("rm", "-rf", str(self.files))
