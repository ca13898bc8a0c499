"""How long a session still has, told to itself: in seconds, as the clocks of node and hub may differ."""

from __future__ import annotations

import time
from collections.abc import Mapping

from clusterhub.schedulers.model import Job, Snapshot
from clusterhub.spawner.boarding import Later
from clusterhub.spawner.clusters import Clusters


def seconds_left(job: Job | None, now: float) -> float | None:
    """Seconds until the job's time limit ends it, at the time ``now``; None where it has none."""
    if job is None or job.ends_at is None:
        return None
    return max(0.0, job.ends_at - now)


def time_left(clusters: Clusters, cluster: str, job_id: str) -> Mapping[str, float | None]:
    """What a running session is told of its job. Raises Later where that cannot be known now."""
    if cluster not in clusters.site.clusters:
        raise Later("The cluster of this session is not in site.toml.", where=f"job {job_id}")
    return by_snapshot(clusters[cluster].watch.snapshot, job_id, time.time())


def by_snapshot(snapshot: Snapshot, job_id: str, now: float) -> Mapping[str, float | None]:
    """The same as far as a snapshot shows it, which costs no query.

    Raises Later where it does not show the job as live: then what was said before holds.
    """
    job = snapshot.jobs.get(job_id)
    if snapshot.error is not None or snapshot.taken_at is None or job is None or not job.state.is_live:
        raise Later("The scheduler does not show this job at the moment.", where=f"job {job_id}")
    return {"remaining_s": seconds_left(job, now), "seen_s_ago": max(0.0, now - snapshot.taken_at)}
