"""The check's probe as a job: submitted as the person, read from a file in their home directory."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from clusterhub.environments.checking import source
from clusterhub.environments.person import Person
from clusterhub.errors import ClusterhubError
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.model import CommandResult, JobRequest, SchedulerError

COMMAND_SECONDS = 30.0
READ_PAUSE = 1.0
"""Seconds between two looks at what the job has printed."""
LOOK_PAUSE = 5.0
"""Seconds between two looks at the queue."""
LOOKS = 2
"""Good looks at the queue without the job, after which it is over."""
HEREDOC = "CLUSTERHUB_PROBE_ENDS_HERE"
OVER = "clusterhub-check: over"
"""The job's last line, also where the probe could not run."""


@dataclass(frozen=True)
class Node:
    """Where and how the job is submitted."""

    scheduler: Scheduler
    programs: Mapping[str, tuple[str, ...]]
    request: JobRequest
    """A job of this person's, as the profile has it; what it runs is put in here."""
    patience: float
    """Seconds until the job must be done, its time in the queue with it."""
    say: Callable[[str], None]

    def run(self, person: Person, directory: str, settings: str) -> CommandResult:
        """What the probe printed on the node. Raises ClusterhubError where nothing can be submitted."""
        made = person.run(
            ["mktemp", "-d", f"{person.home}/.clusterhub-check-XXXXXXXX"], seconds=COMMAND_SECONDS
        )
        scratch = made.stdout.strip()
        if made.exit_code != 0 or not scratch:
            raise ClusterhubError(
                f"The job's output has no place in the home directory of {person.name}: "
                f"{made.problem or made.stderr.strip()}",
                where=person.home,
                next="Check with --here, or as somebody whose home directory can be written.",
            )
        log = f"{scratch}/log"
        try:
            job = self._submit(person, directory, settings, log)
            self.say(f"Job {job} was submitted as {person.name}; waiting for it.")
            return self._wait(person, job, log)
        finally:
            person.run(["rm", "-rf", "--", scratch], seconds=COMMAND_SECONDS)

    def _ask(self, person: Person, argv: tuple[str, ...], stdin: str = "") -> CommandResult:
        environment = {**self.scheduler.environment, **self.scheduler.look_environment}
        return person.run(
            [*self.programs[argv[0]], *argv[1:]],
            seconds=COMMAND_SECONDS,
            stdin=stdin,
            environment=self.scheduler.environment if stdin else environment,
        )

    def _submit(self, person: Person, directory: str, settings: str, log: str) -> str:
        request = replace(self.request, log_path=log, body=body(directory, settings))
        submission = self.scheduler.submission(request)
        return self.scheduler.parse_submission(self._ask(person, submission.argv, submission.stdin))

    def _wait(self, person: Person, job: str, log: str) -> CommandResult:
        deadline = time.monotonic() + self.patience
        next_look, missing = time.monotonic() + LOOK_PAUSE, 0
        over = False
        try:
            while True:
                read = person.run(["cat", "--", log], seconds=COMMAND_SECONDS)
                over = over or OVER in read.stdout.splitlines()
                if over:
                    return CommandResult(0, read.stdout.replace(OVER, ""), "")
                if time.monotonic() > deadline:
                    waited = f"the job was not done within {self.patience:.0f} s"
                    return CommandResult(None, read.stdout, "", waited)
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + LOOK_PAUSE
                    missing = missing + 1 if self._is_gone(person, job) else 0
                    over = missing >= LOOKS
                time.sleep(READ_PAUSE)
        finally:
            if not over:
                self._ask(person, self.scheduler.cancellation(job))

    def _is_gone(self, person: Person, job: str) -> bool:
        try:
            known = self.scheduler.parse_queue(self._ask(person, self.scheduler.queue()))
        except SchedulerError:
            return False  # unknown is not dead
        return job not in known or known[job].state.is_over


def body(directory: str, settings: str) -> str:
    """Bash that runs the probe with the environment's Python, from its own text below. Pure."""
    return "\n".join(
        [
            f"export CLUSTERHUB_PROBE={shlex.quote(settings)}",
            f"python={shlex.quote(f'{directory}/bin/python3')}",
            f'"$python" -I - <<\'{HEREDOC}\' || echo "$python does not run on node $(uname -n)"',
            source().rstrip("\n"),
            HEREDOC,
            f"echo {shlex.quote(OVER)}",
            "",
        ]
    )
