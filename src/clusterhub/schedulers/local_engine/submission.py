"""Putting a job in the queue: its directory, its record, and the process that is left behind with it."""

from __future__ import annotations

import os
import pwd
import resource
import time
from pathlib import Path

from clusterhub.schedulers.local_engine import Refused
from clusterhub.schedulers.local_engine.processes import boot_id, start_time
from clusterhub.schedulers.local_engine.records import (
    Record,
    Request,
    forget_old_jobs,
    make_job_directory,
    write_record,
)
from clusterhub.schedulers.local_engine.room import is_more
from clusterhub.schedulers.local_engine.supervisor import Supervisor

STDIO = 3


def submit(engine: Path, request: Request, script: bytes) -> int:
    """Put a job in the queue, leave its supervisor behind and return the id.

    Raises `Refused`, and OSError where it is not certain that the job is in the queue.
    """
    if not script.startswith(b"#!"):
        raise Refused("the script does not begin with #!")
    check(request)
    directory = make_job_directory(engine)
    job_id = int(directory.name)
    (directory / "script").write_bytes(script)
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        try:
            detach(keep=writing)
            record = record_of(engine, job_id, request)
            write_record(directory, record)
            os.write(writing, b"submitted")
            os.close(writing)
            Supervisor(record).supervise()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        if answer.read() != b"submitted":
            raise ChildProcessError("the job's supervisor ended at once")
    forget_old_jobs(engine)
    return job_id


def check(request: Request) -> None:
    """Raises `Refused` for what can never run."""
    for what, asked, capacity in (
        ("cpus", request.cpus, request.capacity_cpus),
        ("memory", request.memory, request.capacity_memory),
    ):
        if is_more(asked, capacity):
            raise Refused(f"{what}={asked} is more than all that this engine has ({capacity})")


def detach(keep: int) -> None:
    """Leave the submitter's terminal, session, directory and open files."""
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(STDIO):
        os.dup2(nothing, descriptor)
    os.closerange(STDIO, keep)
    os.closerange(keep + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def record_of(engine: Path, job_id: int, request: Request) -> Record:
    """The record of a new job that this process supervises."""
    try:
        person = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        person = str(os.getuid())
    asked = request._replace(output=request.output.replace("{job}", str(job_id)))
    return Record(
        **asked._asdict(),
        id=job_id,
        engine=str(engine),
        person=person,
        node=os.uname().nodename,
        boot=boot_id(),
        supervisor=os.getpid(),
        supervisor_started=start_time(os.getpid()),
        submitted_at=time.time(),
    )
