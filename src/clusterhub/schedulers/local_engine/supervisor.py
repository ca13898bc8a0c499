"""The process that stays with one job from the submit to the end.

It may outlive the version of clusterhub that it came from: whatever it needs is imported before it begins.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from clusterhub.schedulers.local_engine.processes import descendants, resident_bytes
from clusterhub.schedulers.local_engine.records import Record, job_directory, write_record
from clusterhub.schedulers.local_engine.room import reason_to_wait
from clusterhub.schedulers.local_engine.script import start_script
from clusterhub.schedulers.local_engine.supervision import GRACE_SECONDS

POLL_SECONDS = 1.0
"""Between two looks at the memory of a job that has a limit, or at the room for one that waits."""
WATCHED = (signal.SIGCHLD, signal.SIGTERM)


class Supervisor:
    """Waits for room, starts the script, enforces the limits and writes down how it went."""

    def __init__(self, record: Record) -> None:
        self.directory = job_directory(Path(record.engine), record.id)
        self.record = record
        # Kept for good: a Popen that is dropped reaps its process, and takes the exit code with it.
        self.main: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None
        self.verdict: tuple[str, str] | None = None
        self.kill_at: float | None = None

    def supervise(self) -> None:
        """Return when the job is over and nothing of it is left."""
        # Blocked and taken by sigtimedwait: no handler, no race, no wake-up without a cause.
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        try:
            if self.wait_for_room():
                self.main = start_script(self.directory / "script", self.record, WATCHED)
                self.note(state="running", reason="", started_at=time.time())
                self.stay_until_its_end()
        except OSError as error:
            self.verdict = ("failed", f"{error.strerror}: {error.filename}")
        self.finish()

    def note(self, **changes: Any) -> None:
        """Write the changes down, if that is possible: a full disk is no reason to end a job."""
        self.record = self.record._replace(**changes)
        with contextlib.suppress(OSError):
            write_record(self.directory, self.record)

    def wait_for_room(self) -> bool:
        """True when the job may start, False when it was cancelled before."""
        while (reason := reason_to_wait(self.record)) is not None:
            if reason != self.record.reason:
                self.note(reason=reason)
            cancelled = wait_for_signal(POLL_SECONDS)
            if cancelled is not None:
                self.verdict = ("cancelled", cancelled)
                return False
        return True

    def stay_until_its_end(self) -> None:
        ends_at = time.monotonic() + self.record.time
        warn_at = ends_at - self.record.warning if self.record.warning else None
        while not self.reap():
            now = time.monotonic()
            self.check_memory()
            if warn_at is not None and now >= warn_at:
                warn_at = None
                self.warn()
            if self.verdict is None and now >= ends_at:
                self.end("time limit", "TimeLimit")
            if self.kill_at is not None and now >= self.kill_at:
                self.signal_all(signal.SIGKILL)
                self.kill_at = now + POLL_SECONDS
            next_look = ends_at if self.kill_at is None else self.kill_at
            if warn_at is not None:
                next_look = min(next_look, warn_at)
            if self.record.memory is not None:
                next_look = min(next_look, now + POLL_SECONDS)
            cancelled = wait_for_signal(next_look - time.monotonic())
            if cancelled is not None and self.verdict is None:
                self.end("cancelled", cancelled)

    def check_memory(self) -> None:
        limit = self.record.memory
        if limit is None or self.verdict is not None:
            return
        held = resident_bytes(descendants(os.getpid()))
        self.record = self.record._replace(peak_memory=max(held, self.record.peak_memory or 0))
        if held > limit:
            # No grace: by the end of it the machine's memory could be gone.
            self.verdict = ("out of memory", "OutOfMemory")
            self.kill_at = time.monotonic()

    def warn(self) -> None:
        """Tell the script alone that its end is near: it asked for that, and hands it on as it likes."""
        if self.main is not None and self.verdict is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.main.pid, signal.SIGUSR1)

    def end(self, outcome: str, reason: str) -> None:
        """Tell the job's processes to end, and give them a moment."""
        self.verdict = (outcome, reason)
        self.kill_at = time.monotonic() + GRACE_SECONDS
        self.signal_all(signal.SIGTERM)
        self.note(state="ending", reason=reason)

    def signal_all(self, number: signal.Signals) -> None:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def reap(self) -> bool:
        """Collect what has ended; True once the job's own script has."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if self.main is not None and ended[0] == self.main.pid:
                    self.exit_code = os.waitstatus_to_exitcode(ended[1])
        return self.exit_code is not None

    def finish(self) -> None:
        """End what the script left behind and write down how it went."""
        while descendants(os.getpid()):
            self.signal_all(signal.SIGKILL)
            signal.sigtimedwait([signal.SIGCHLD], POLL_SECONDS)
            self.reap()
        code = self.exit_code
        outcome, reason = self.verdict or ("completed" if code == 0 else "failed", "")
        self.note(
            state="ended",
            outcome=outcome,
            reason=reason,
            exit_code=None if code is None else max(code, 0),
            signal=-code if code is not None and code < 0 else None,
            ended_at=time.time(),
        )


def wait_for_signal(seconds: float) -> str | None:
    """Wait for one of the watched signals. Who wants the job ended, if it was that one."""
    caught = signal.sigtimedwait(WATCHED, max(0.0, seconds))
    if caught is not None and caught.si_signo == signal.SIGTERM:
        return f"by {caught.si_uid}"
    return None
