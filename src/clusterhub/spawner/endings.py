"""How sessions ended: explained, and kept for the person's page."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.schedulers.model import Job, JobState
from clusterhub.site.schema import Profile
from clusterhub.spawner.explanations import explain_ending
from clusterhub.spawner.job_request import SessionPaths
from clusterhub.spawner.messages import as_html
from clusterhub.spawner.tags import Tag

if TYPE_CHECKING:
    from clusterhub.spawner.clusters import Clusters

log = logging.getLogger("clusterhub")

LOG_BYTES = 16384
LOG_TRIES = 4
LOG_PAUSE = 0.4
"""Seconds: a network file system may show a log's last lines a moment after the job has ended."""


class Endings:
    """How the last session of each tag ended."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._explanations: dict[str, Explanation] = {}

    def forget(self, tag: Tag) -> None:
        """A new session of that tag starts."""
        self._explanations.pop(str(tag), None)

    async def remember(self, tag: Tag, profile: str, job_id: str) -> None:
        """Keeps why a job ended whose session had been running."""
        try:
            explanation = await self.explain(tag, self._clusters.site.profile_named(profile), job_id)
        except ClusterhubError as error:
            log.warning("Cannot tell why job %s ended: %s", job_id, error)
        else:
            self._explanations[str(tag)] = explanation

    def html(self, person: str, server: str) -> str:
        """Why that server ended; empty where it did not, or nobody knows."""
        explanation = self._explanations.get(str(self._clusters.tag(person, server)))
        return as_html(explanation) if explanation is not None else ""

    async def explain(self, tag: Tag, profile: Profile, job_id: str) -> Explanation:
        """Why this job ended, with the last lines of its log."""
        job = self._clusters[profile.cluster].watch.ending(job_id) or Job(job_id, JobState.ENDED)
        text = ""
        for _ in range(LOG_TRIES):
            text = await self._read_log(tag, job_id)
            if text or job.started_at is None:
                break
            await asyncio.sleep(LOG_PAUSE)
        return explain_ending(job, text, profile=profile.title)

    async def _read_log(self, tag: Tag, job_id: str) -> str:
        name = SessionPaths.of(self._clusters.site, tag).log_name(job_id)
        try:
            return await self._clusters.broker.read_log(tag.person, name, LOG_BYTES)
        except ClusterhubError as error:
            log.info("No log of job %s: %s", job_id, error)
            return ""
