"""What is kept of each job: a directory with its script and its record."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import NamedTuple

FORGET_SECONDS = 86400.0
"""How long the files of an ended job are kept."""
HALF_MADE_SECONDS = 10.0
"""A job's directory without a record is one that is being submitted, for no longer than this."""


class Request(NamedTuple):
    """What a submit asks for. ``time`` and ``warning`` are in seconds, memory in bytes; None is no limit."""

    name: str
    tag: str
    cpus: int
    memory: int | None
    time: int
    output: str
    """Path of the log; ``{job}`` becomes the id."""
    chdir: str | None
    capacity_cpus: int | None
    capacity_memory: int | None
    """What all jobs of the engine together may use."""
    warning: int | None = None
    """Seconds before its end at which the script gets SIGUSR1."""


class Record(NamedTuple):
    """All that is known of a job: the fields of its `Request` (with the path of its own log), and what became
    of it.

    Supervisors of older versions go on writing their records: a field that comes later needs a default.
    """

    name: str
    tag: str
    cpus: int
    memory: int | None
    time: int
    output: str
    chdir: str | None
    capacity_cpus: int | None
    capacity_memory: int | None
    id: int
    engine: str
    """The engine's directory."""
    person: str
    node: str
    boot: str
    supervisor: int
    supervisor_started: int | None
    submitted_at: float
    warning: int | None = None
    state: str = "queued"
    """``queued``, ``running``, ``ending`` or ``ended``."""
    reason: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    outcome: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    peak_memory: int | None = None

    @property
    def is_over(self) -> bool:
        return self.state == "ended"

    def seconds_since_end(self) -> float:
        """0 for a job that is not over."""
        return 0.0 if self.ended_at is None else time.time() - self.ended_at

    def marks(self) -> dict[str, str]:
        """The variables by which a process of this job is known."""
        return {"CLUSTERHUB_JOB_ID": str(self.id), "CLUSTERHUB_ENGINE": self.engine}


def write_record(directory: Path, record: Record) -> None:
    """Replace the record in one step."""
    new = directory / "record.new"
    new.write_text(json.dumps(record._asdict()))
    new.rename(directory / "record.json")


def read_record(directory: Path) -> Record | None:
    """The record as it is; None where there is none (yet)."""
    try:
        fields = json.loads((directory / "record.json").read_text())
        return Record(**{name: fields[name] for name in Record._fields if name in fields})
    except (OSError, ValueError, TypeError):
        return None


def job_directory(engine: Path, job_id: int) -> Path:
    return engine / "jobs" / str(job_id)


def job_directories(engine: Path) -> list[Path]:
    """The directories of all jobs, oldest first."""
    try:
        numbers = [int(entry.name) for entry in (engine / "jobs").iterdir() if entry.name.isdecimal()]
    except FileNotFoundError:
        return []
    return [job_directory(engine, number) for number in sorted(numbers)]


def make_job_directory(engine: Path) -> Path:
    """A new directory with the next free number: whoever makes it has the id."""
    newest = job_directories(engine)[-1:]
    number = int(newest[0].name) if newest else 0
    while True:
        number += 1
        directory = job_directory(engine, number)
        with contextlib.suppress(FileExistsError):
            directory.parent.mkdir(parents=True, exist_ok=True)
            directory.mkdir()
            return directory


def is_half_made(directory: Path) -> bool:
    """True for a job that is being submitted right now, as its directory has no record yet."""
    with contextlib.suppress(OSError):
        return time.time() - directory.stat().st_mtime < HALF_MADE_SECONDS
    return False


def forget_old_jobs(engine: Path) -> None:
    """Remove this person's long ended jobs; never the newest, which keeps the numbers growing."""
    for directory in job_directories(engine)[:-1]:
        record = read_record(directory)
        if record is not None and record.is_over and record.seconds_since_end() > FORGET_SECONDS:
            with contextlib.suppress(OSError):
                for file in directory.iterdir():
                    file.unlink()
                directory.rmdir()
