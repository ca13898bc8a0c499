"""The clusters of a site at work: for each its scheduler and its watch, and for all of them the broker."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.privileged.broker import Broker, HelperConfiguration
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.local import LocalScheduler
from clusterhub.schedulers.model import Job, JobState
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.schedulers.watch import Watch
from clusterhub.site.schema import Cluster, Profile, Site
from clusterhub.spawner import tickets
from clusterhub.spawner.boarding import Boarding, Ticket
from clusterhub.spawner.explanations import explain_ending
from clusterhub.spawner.job_request import SessionPaths
from clusterhub.spawner.messages import as_html
from clusterhub.spawner.tags import Tag

log = logging.getLogger("clusterhub")

SETTING = "clusterhub"
"""Where the hub's web application keeps its `Clusters`."""

FRESH_LOOKS = 3
"""How often the queue is looked at anew for a job that says it runs, before the job is told to ask again."""

LOG_BYTES = 16384
LOG_TRIES = 4
LOG_PAUSE = 0.4
"""A network file system may show a log's last lines a moment after the job has ended (seconds)."""

CANCEL_PAUSE = 5.0
"""Seconds between two tries of a cancel that the scheduler did not take."""


def scheduler_for(cluster: Cluster) -> Scheduler:
    """The adapter for one cluster of the site."""
    if cluster.scheduler == "local" and cluster.directory is not None:
        return LocalScheduler(
            cluster.directory,
            cpus=cluster.cpus,
            memory=cluster.memory,
            job_name=cluster.job_name,
            cluster=cluster.name,
        )
    return SlurmScheduler(cluster.job_name, cluster=cluster.name, configuration=cluster.configuration)


def munge_uid(cluster: Cluster) -> int | None:
    """The uid that may decode tickets, where this cluster has munge; None where tickets are files."""
    if cluster.scheduler == "slurm" and shutil.which("unmunge") and Path("/run/munge").is_dir():
        return os.geteuid()
    return None


@dataclass(frozen=True)
class RunningCluster:
    """One cluster of the site, with what the hub keeps for it."""

    name: str
    scheduler: Scheduler
    watch: Watch
    munge_uid: int | None


class Clusters:
    """All that a hub holds to start, see and stop sessions; one for each hub, made before its loop runs."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.state_directory = Path(site.hub.state_directory)
        self.boarding = Boarding()
        self.endings: dict[str, Explanation] = {}
        """How the last session of each tag ended, for the person's page."""
        self._ticket_key: bytes | None = None
        self._clusters = {
            name: RunningCluster(name, scheduler, self._watch(cluster, scheduler), munge_uid(cluster))
            for name, cluster in site.clusters.items()
            for scheduler in [scheduler_for(cluster)]
        }
        self.broker = Broker.for_this_process(
            helper_configuration(site, self.schedulers),
            runtime_directory=self.state_directory,
            mode="self" if site.login.method == "one-person" else "auto",
        )
        self._cancels: set[asyncio.Task[None]] = set()

    @staticmethod
    def _watch(cluster: Cluster, scheduler: Scheduler) -> Watch:
        return Watch(
            scheduler,
            interval=cluster.queue_interval,
            starting_interval=cluster.starting_interval,
            commands=cluster.commands,
        )

    def __deepcopy__(self, memo: object) -> Clusters:
        """Itself: traitlets copies what it is configured with, and of this there is one."""
        return self

    def at_rest(self, name: str) -> RunningCluster:
        """A cluster whose queue nobody looks at yet."""
        return self._clusters[name]

    def __getitem__(self, name: str) -> RunningCluster:
        cluster = self._clusters[name]
        cluster.watch.ensure_running()
        return cluster

    @property
    def schedulers(self) -> Mapping[str, Scheduler]:
        """The adapter of each cluster."""
        return {name: cluster.scheduler for name, cluster in self._clusters.items()}

    def tag(self, person: str, server: str) -> Tag:
        """The tag of this hub for a person's server."""
        return Tag(self.site.hub.id, person, server)

    @property
    def ticket_key(self) -> bytes:
        """The key for tickets that are files."""
        if self._ticket_key is None:
            self._ticket_key = tickets.ensure_key(self.state_directory / "ticket.key")
        return self._ticket_key

    async def check_ticket(self, tag: str, cluster: str, ticket: Ticket) -> tickets.Proof:
        """What the ticket vouches for. Raises `tickets.TicketRefused`."""
        if self._clusters[cluster].munge_uid is not None:
            if ticket.kind != "munge":
                raise tickets.TicketRefused("This cluster's tickets are munge credentials.")
            return await tickets.check_munge_ticket(ticket.value)
        return tickets.check_file_ticket(self.ticket_key, tag, ticket.value)

    async def find_running(self, cluster: str, job_id: str) -> Job | None:
        """The job, looked for anew while the last snapshot does not show it running yet."""
        watch = self[cluster].watch
        for _ in range(FRESH_LOOKS):
            job = watch.snapshot.jobs.get(job_id)
            if job is not None and job.state not in (JobState.QUEUED, JobState.UNKNOWN):
                return job
            await watch.refresh()
        return watch.snapshot.jobs.get(job_id)

    async def live_job(self, cluster: str, tag: Tag) -> Job | None:
        """The newest job of that tag that runs or may yet run, by a look at the queue made now.

        Raises `SchedulerError` where the queue cannot be seen: then nobody knows whether there is one.
        """
        snapshot = await self[cluster].watch.refresh()
        if snapshot.error is not None:
            raise snapshot.error
        return next((job for job in snapshot.with_tag(str(tag), tag.person) if job.state.is_live), None)

    async def cancel(self, cluster: str, person: str, job_id: str) -> None:
        """Ends a job, and goes on trying in the background where the scheduler does not take it now."""
        try:
            await self._try_cancel(cluster, person, job_id)
        except ClusterhubError as error:
            log.warning("Job %s of %s is not cancelled yet; trying on. %s", job_id, person, error)
            task = asyncio.create_task(self._cancel_until_over(cluster, person, job_id))
            self._cancels.add(task)
            task.add_done_callback(self._cancels.discard)

    async def _try_cancel(self, cluster: str, person: str, job_id: str) -> None:
        scheduler = self[cluster].scheduler
        scheduler.parse_cancellation(await self.broker.cancel(person, scheduler.cancellation(job_id)))

    async def _cancel_until_over(self, cluster: str, person: str, job_id: str) -> None:
        watch = self[cluster].watch
        while not watch.is_over(job_id):
            await asyncio.sleep(CANCEL_PAUSE)
            try:
                await self._try_cancel(cluster, person, job_id)
            except ClusterhubError as error:
                log.info("Job %s of %s is still not cancelled: %s", job_id, person, error)
            else:
                return

    def ending_html(self, person: str, server: str) -> str:
        """Why that server ended, as HTML; empty where it did not, or nobody knows."""
        explanation = self.endings.get(str(self.tag(person, server)))
        return as_html(explanation) if explanation is not None else ""

    async def explain(self, tag: Tag, profile: Profile, job_id: str) -> Explanation:
        """Why this job ended, with the last lines of its log."""
        job = self[profile.cluster].watch.ending(job_id) or Job(job_id, JobState.ENDED)
        text = ""
        for _ in range(LOG_TRIES):
            text = await self._read_log(tag, job_id)
            if text or job.started_at is None:
                break
            await asyncio.sleep(LOG_PAUSE)
        return explain_ending(job, text, profile=profile.title)

    async def _read_log(self, tag: Tag, job_id: str) -> str:
        name = SessionPaths.of(self.site, tag).log_name(job_id)
        try:
            return await self.broker.read_log(tag.person, name, LOG_BYTES)
        except ClusterhubError as error:
            log.info("No log of job %s: %s", job_id, error)
            return ""

    async def remember_ending(self, tag: Tag, profile: str, job_id: str) -> None:
        """Keeps why a session ended that had been running, for the person's page."""
        try:
            self.endings[str(tag)] = await self.explain(tag, self.site.profile_named(profile), job_id)
        except ClusterhubError as error:
            log.warning("Cannot tell why job %s ended: %s", job_id, error)


def helper_configuration(site: Site, schedulers: Mapping[str, Scheduler]) -> HelperConfiguration:
    """What the helper may do on this site."""
    programs: dict[str, tuple[str, ...]] = {}
    environment: dict[str, str] = {}
    for name, scheduler in schedulers.items():
        found = scheduler.programs(site.clusters[name].commands)
        programs.update({program: found[program] for program in scheduler.acting})
        environment.update(scheduler.environment)
    directives = {each for cluster in site.clusters.values() for each in cluster.directives}
    directives |= {each for profile in site.profiles for each in profile.directives}
    return HelperConfiguration(
        programs=programs,
        environment=environment,
        session_directory=str(site.sessions.directory),
        pam_service=site.login.pam_service,
        directives=tuple(sorted(directives)),
        engine_directories=tuple(
            str(cluster.directory) for cluster in site.clusters.values() if cluster.directory is not None
        ),
        allow=site.login.allow,
    )
