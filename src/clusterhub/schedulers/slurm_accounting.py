"""What sacct tells of jobs that left the queue (sacct(1))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from clusterhub.schedulers.hostlist import expand_hostlist
from clusterhub.schedulers.model import Job, JobState, Outcome
from clusterhub.schedulers.slurm_quantities import read_exit_code, read_size, read_time
from clusterhub.schedulers.slurm_states import read_state

FIELDS = (
    "JobIDRaw",
    "State",
    "ExitCode",
    "User",
    "Partition",
    "NodeList",
    "Submit",
    "Start",
    "End",
    "MaxRSS",
    "Reason",
)
"""None of them is free text of a person's, so nobody can forge a line."""


def read_accounting(text: str) -> dict[str, Job]:
    """The jobs of an answer of sacct: a line for each job, followed by one for each of its steps.

    Out of memory shows on the step alone where only a task was killed, and MaxRSS is only known for steps.
    Raises ValueError for anything else.
    """
    if text and not text.endswith("\n"):
        raise ValueError("the last line is incomplete")
    jobs: dict[str, Job] = {}
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) != len(FIELDS):
            raise ValueError(f"{len(fields)} instead of {len(FIELDS)} fields in {line[:80]!r}")
        record = dict(zip(FIELDS, fields, strict=True))
        job_id, _, step = record["JobIDRaw"].partition(".")
        if not job_id.isdigit():
            raise ValueError(f"{line[:80]!r} does not begin with a job id")
        if step and job_id in jobs:
            jobs[job_id] = _with_step(jobs[job_id], record)
        elif not step:
            jobs[job_id] = _accounted(job_id, record)
    return jobs


def _accounted(job_id: str, record: Mapping[str, str]) -> Job:
    state, outcome = read_state(record["State"])
    code, signal = read_exit_code(record["ExitCode"])
    _, by, who = record["State"].partition(" by ")
    nodes = record["NodeList"]
    ends_at = read_time(record["End"])
    if state.is_over and ends_at is None:
        # slurmdbd was away, and the news of the end, with who was the cause, is still on its way (seen on
        # 22.05.8: CANCELLED without an end, ten seconds before CANCELLED by a uid with one).
        state, outcome = JobState.UNKNOWN, None
    return Job(
        id=job_id,
        state=state,
        person=record["User"],
        partition=record["Partition"],
        nodes=() if nodes in ("", "None assigned") else expand_hostlist(nodes),
        reason=record["Reason"].replace("None", ""),
        cancelled_by=int(who) if by and who.isdigit() else None,
        outcome=outcome,
        exit_code=code if state.is_over else None,
        signal=signal if state.is_over else None,
        submitted_at=read_time(record["Submit"]),
        started_at=read_time(record["Start"]),
        ends_at=ends_at,
    )


def _with_step(job: Job, record: Mapping[str, str]) -> Job:
    measured = read_size(record["MaxRSS"])
    if measured is not None:
        job = replace(job, peak_memory=max(measured, job.peak_memory or 0))
    if read_state(record["State"])[1] is Outcome.OUT_OF_MEMORY and job.outcome in (
        Outcome.FAILED,
        Outcome.COMPLETED,
    ):
        job = replace(job, outcome=Outcome.OUT_OF_MEMORY)
    return job
