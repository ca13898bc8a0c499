"""How a session is now, for programs and pages: from the last snapshot, without asking the scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clusterhub.languages.text import _
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.model import Job, JobState, Snapshot
from clusterhub.spawner.absence import Absence
from clusterhub.spawner.time_left import seconds_left
from clusterhub.spawner.usage import Used
from clusterhub.spawner.waiting import waiting_message

STATES = ("submitting", "queued", "starting", "running", "suspended", "ending", "unknown")
"""All that `SessionState.state` can be."""


@dataclass(frozen=True)
class SessionState:
    """How a session is now. Times are seconds since the epoch."""

    state: str
    """One of `STATES`: ``running`` once it serves, ``unknown`` while the scheduler does not list its job."""
    message: str
    """The same for people."""
    cluster: str
    profile: str
    job: str
    """The job's id; empty until it is known."""
    record: Job | None
    """The scheduler's record as it was last seen."""
    why: str
    """Why it waits, in a person's words; empty where it does not, or nobody knows."""
    snapshot: Snapshot
    now: float
    used: Used | None = None
    """What it says that it uses; None where it has not lately."""

    @property
    def remaining(self) -> float | None:
        """Seconds until its time limit ends it; None where that is not known, or its clock stands still."""
        return seconds_left(self.record, self.now) if self.state in ("starting", "running") else None

    def as_json(self) -> dict[str, Any]:
        """The session as the REST API tells it."""
        job, remaining, error = self.record, self.remaining, self.snapshot.error
        return {
            "state": self.state,
            "message": self.message,
            "cluster": self.cluster,
            "profile": self.profile,
            "job": self.job or None,
            "nodes": list(job.nodes) if job else [],
            "reason": job.reason if job and self.state == "queued" else "",
            "why": self.why,
            "positions": [
                {"partition": each.partition, "ahead": each.ahead, "at_least": each.at_least}
                for each in self.snapshot.positions.get(self.job, ())
                if self.state == "queued"
            ],
            "submitted_at": job.submitted_at if job else None,
            "expected_start": job.expected_start if job else None,
            "started_at": job.started_at if job else None,
            "ends_at": job.ends_at if job else None,
            "remaining_s": None if remaining is None else round(remaining),
            "restarts": job.restarts if job else 0,
            "used": self.used.as_json() if self.used else None,
            "seen_at": self.snapshot.taken_at,
            "error": None
            if error is None
            else {
                "what": error.explanation.what,
                "where": error.explanation.where,
                "next": error.explanation.next,
            },
        }


def session_state(
    *,
    cluster: str,
    profile: str,
    job_id: str,
    serves: bool,
    scheduler: Scheduler,
    snapshot: Snapshot,
    now: float,
    absence: Absence | None = None,
    used: Used | None = None,
) -> SessionState:
    """What is to be said of a session that runs or starts. Pure.

    ``serves`` is true once it can be used, ``absence`` is why it cannot be for a while.
    """
    job = snapshot.jobs.get(job_id)
    state = _state(job_id, job, serves=serves)
    reason = scheduler.wait_reason(job) if job is not None and state == "queued" else None
    if absence is not None and state in ("running", "suspended"):
        message = absence.words
    elif state == "running" and job is not None:
        message = _("Job {job} runs on {nodes}.").format(
            job=job_id, nodes=", ".join(job.nodes) or _("a node")
        )
    elif state == "submitting":
        message = _("Submitting to {cluster}.").format(cluster=cluster)
    elif state == "unknown":
        message = _("The scheduler does not tell what job {job} does.").format(job=job_id)
    elif state == "ending":
        message = _("Job {job} is ending.").format(job=job_id)
    else:
        message = waiting_message(job, reason, snapshot.positions.get(job_id, ()), now)
    return SessionState(
        state=state,
        message=message,
        cluster=cluster,
        profile=profile,
        job=job_id,
        record=job,
        why=reason.why if reason else "",
        snapshot=snapshot,
        now=now,
        used=used if state in ("starting", "running") else None,
    )


_OF_JOBS: Mapping[JobState, str] = {
    JobState.QUEUED: "queued",
    JobState.STARTING: "starting",
    JobState.SUSPENDED: "suspended",
    JobState.ENDING: "ending",
    JobState.ENDED: "ending",
}


def _state(job_id: str, job: Job | None, *, serves: bool) -> str:
    if not job_id:
        return "submitting"
    if job is not None and job.state is JobState.RUNNING:
        return "running" if serves else "starting"
    return _OF_JOBS.get(job.state, "unknown") if job is not None else "unknown"
