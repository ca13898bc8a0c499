"""Why a job waits, in a person's words."""

from __future__ import annotations

import time
from collections.abc import Mapping

from clusterhub.schedulers.model import Job, JobState


def waiting_message(job: Job | None, reasons: Mapping[str, str], now: float | None = None) -> str:
    """One line of what a session is waiting for.

    ``reasons`` puts the scheduler's words into a person's; ``now`` is in seconds since the epoch.
    """
    if job is None:
        return "Submitted; the scheduler does not list the job yet."
    words = _words(job, reasons, now)
    if job.restarts:
        words += (
            " The scheduler took it back and runs it again: files are as they were saved, what kernels held"
            " in memory is lost."
        )
    return words


def _words(job: Job, reasons: Mapping[str, str], now: float | None) -> str:
    if job.state is JobState.STARTING:
        return f"Job {job.id}: {_nodes(job)} is being made ready."
    if job.state is JobState.SUSPENDED:
        return f"Job {job.id} is suspended by the scheduler and will go on later."
    if job.state is not JobState.QUEUED:
        return f"Job {job.id} runs on {_nodes(job)}; Jupyter is starting."
    word = job.reason.strip("()").partition(",")[0]
    if word in ("", "None"):
        return f"Job {job.id} is in the queue; the scheduler has not looked at it yet."
    said = reasons.get(word)
    why = f"{said} ({word})" if said else f"the scheduler says: {job.reason}"
    line = f"Job {job.id} waits: {why}."
    if job.expected_start is not None and job.expected_start > (now or time.time()):
        start = time.localtime(job.expected_start)
        line += f" Expected to start at {time.strftime('%H:%M on %A', start)}."
    return line


def _nodes(job: Job) -> str:
    return ", ".join(job.nodes[:3]) or "a node"
