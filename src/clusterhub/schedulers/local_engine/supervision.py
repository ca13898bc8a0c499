"""Jobs seen from outside: whether their supervisors live, what to make of those whose do not, and how to end
them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path

from clusterhub.schedulers.local_engine import Refused
from clusterhub.schedulers.local_engine.processes import boot_id, kill_marked, start_time
from clusterhub.schedulers.local_engine.records import Record, job_directories, read_record, write_record

KEEP_SECONDS = 3600.0
"""How long a job is listed after its end."""
GRACE_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""
ANSWER_SECONDS = 5.0
"""How long a supervisor may take to do what it was told, its job's time of grace not counted."""


def is_supervised(record: Record) -> bool:
    """True while the process that supervises this job lives."""
    return record.boot == boot_id() and start_time(record.supervisor) == record.supervisor_started


def current(directory: Path) -> Record | None:
    """The record, put right where the supervisor is gone without having ended it."""
    record = read_record(directory)
    if record is None or record.is_over or is_supervised(record):
        return record
    # It may have ended the job in between: a record is only lost if it still says so now.
    record = read_record(directory)
    if record is None or record.is_over:
        return record
    kill_marked(record.marks())
    reason = "SupervisorGone" if record.boot == boot_id() else "Reboot"
    record = record._replace(state="ended", outcome="node failed", reason=reason, ended_at=time.time())
    with contextlib.suppress(OSError):
        # Another person's record cannot be written; then every look finds the same again.
        write_record(directory, record)
    return record


def queue(engine: Path) -> list[Record]:
    """The jobs that are not over, and those that ended within the last hour; oldest first."""
    records = map(current, job_directories(engine))
    return [record for record in records if record is not None and record.seconds_since_end() < KEEP_SECONDS]


def cancel(record: Record) -> None:
    """End a job. One that was queued is out of the queue then; one that runs may take its time of grace."""
    supervisor = _tell_to_end(record)
    if supervisor is not None:
        if record.state == "queued":
            select.select([supervisor], [], [], ANSWER_SECONDS)
        os.close(supervisor)


def end_all(engine: Path) -> None:
    """End every job of the engine and return when all are gone."""
    records = [(directory, current(directory)) for directory in job_directories(engine)]
    live = [(directory, record) for directory, record in records if record is not None and not record.is_over]
    supervisors = [_tell_to_end(record) for _, record in live]
    deadline = time.monotonic() + GRACE_SECONDS + ANSWER_SECONDS
    for supervisor, (directory, _) in zip(supervisors, live, strict=True):
        if supervisor is not None:
            if not select.select([supervisor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(supervisor, signal.SIGKILL)
                select.select([supervisor], [], [])
            os.close(supervisor)
        # Should it not have ended its job, this does.
        current(directory)


def _tell_to_end(record: Record) -> int | None:
    """A descriptor that is readable once the supervisor, which was told to end its job, is gone. None: it is.

    No other process that has its pid by now is told. Raises `Refused` for a job of another person's.
    """
    try:
        supervisor = os.pidfd_open(record.supervisor)
    except ProcessLookupError:
        return None
    try:
        if is_supervised(record):
            signal.pidfd_send_signal(supervisor, signal.SIGTERM)
            return supervisor
    except ProcessLookupError:
        pass
    except PermissionError:
        os.close(supervisor)
        raise Refused(f"job {record.id} is another person's") from None
    os.close(supervisor)
    return None
