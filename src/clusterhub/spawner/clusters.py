"""The clusters of a site at work: for each its scheduler and its watch, and for all of them the broker."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from clusterhub.audit.log import AuditLog
from clusterhub.errors import ClusterhubError
from clusterhub.privileged.broker import Broker, HelperConfiguration
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.local import LocalScheduler
from clusterhub.schedulers.model import Job, JobState, Snapshot
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.schedulers.watch import Watch
from clusterhub.site.schema import Cluster, Site
from clusterhub.spawner import tickets
from clusterhub.spawner.boarding import Boarding, Later, Ticket
from clusterhub.spawner.cancellations import FILE as CANCELLATIONS_FILE
from clusterhub.spawner.cancellations import Cancellations
from clusterhub.spawner.certificates import Certificates
from clusterhub.spawner.ending_store import FILE as ENDINGS_FILE
from clusterhub.spawner.endings import Endings
from clusterhub.spawner.environments import Environments
from clusterhub.spawner.estimates import Estimates
from clusterhub.spawner.job_request import SessionPaths
from clusterhub.spawner.operator_messages import FILE as MESSAGES_FILE
from clusterhub.spawner.operator_messages import OperatorMessages
from clusterhub.spawner.preset_store import FILE as PRESETS_FILE
from clusterhub.spawner.preset_store import PresetStore
from clusterhub.spawner.reach import Nodes
from clusterhub.spawner.start_log import LogLooks
from clusterhub.spawner.submissions import Submissions
from clusterhub.spawner.tags import Tag

log = logging.getLogger("clusterhub")

SETTING = "clusterhub"
"""Where the hub's web application keeps its `Clusters`."""

ACCOUNT_AGE = 60.0
"""Seconds for which somebody's groups are taken to be as they were: a class is asked for once each."""

FRESH_LOOKS = 3
"""How often the queue is looked at anew for a job that says it runs, before the job is told to ask again."""


LOOK_AGE = 40.0
"""Seconds for which a look says that the scheduler can be reached: somewhat more than between two looks."""


async def _at_once() -> None:
    """Where nobody looks after a database, such as in a command."""


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


@dataclass(frozen=True)
class Unnoted:
    """A session that serves, although JupyterHub does not know it."""

    job: str
    endpoint: str
    restart: int
    token: str = field(repr=False)


class Clusters:
    """All that a hub holds to start, see and stop sessions; one for each hub, made before its loop runs."""

    def __init__(
        self,
        site: Site,
        *,
        on_interrupted: Callable[[str, str], None] = lambda _person, _server: None,
        runtime_directory: Path | None = None,
    ) -> None:
        self.site = site
        self._on_interrupted = on_interrupted
        self._interrupted: set[tuple[str, str]] = set()
        self._unheard: dict[tuple[str, str], float] = {}
        self._unnoted: dict[tuple[str, str], Unnoted] = {}
        self.until_database: Callable[[], Awaitable[None]] = _at_once
        """Returns once the hub's database can be read and written."""
        self.state_directory = Path(site.hub.state_directory)
        self.audit = AuditLog(site.hub.audit_log)
        self.certificates = Certificates.of(site)
        self.boarding = Boarding()
        self.nodes = Nodes()
        self.environments = Environments(site)
        self.log_looks = LogLooks()
        self.cancellations = Cancellations(self, self.state_directory / CANCELLATIONS_FILE)
        self.presets = PresetStore(self.state_directory / PRESETS_FILE)
        self.estimates = Estimates(self)
        self.endings = Endings(self, self.state_directory / ENDINGS_FILE)
        self.messages = OperatorMessages(self.state_directory / MESSAGES_FILE)
        self._clusters = {
            name: RunningCluster(name, scheduler, self._watch(cluster, scheduler), munge_uid(cluster))
            for name, cluster in site.clusters.items()
            for scheduler in [scheduler_for(cluster)]
        }
        self.broker = broker_for(site, self.schedulers, runtime_directory or self.state_directory)
        self.submissions = Submissions(self.broker.seconds)

    @staticmethod
    def _watch(cluster: Cluster, scheduler: Scheduler) -> Watch:
        return Watch(
            scheduler,
            interval=cluster.queue_interval,
            starting_interval=cluster.starting_interval,
            commands=cluster.commands,
        )

    def interrupt(
        self, person: str, server: str, *, unheard: bool = False, unnoted: Unnoted | None = None
    ) -> None:
        """A start or session of that server is to be gone on with: its job may be in the queue.

        ``unheard``: or may yet come into it, as an earlier hub may have been submitting it when it ended.
        ``unnoted``: it serves already, and JupyterHub does not know it.
        """
        if unheard:
            self._unheard[person, server] = time.monotonic() + self.broker.seconds
        self._interrupted.add((person, server))
        if unnoted is not None:
            self._unnoted[person, server] = unnoted
        self._on_interrupted(person, server)

    def unheard_until(self, person: str, server: str) -> float:
        """Until then (`time.monotonic`) what an earlier hub had asked of the helper may bring a job."""
        return self._unheard.get((person, server), 0.0)

    def take_unnoted(self, person: str, server: str) -> Unnoted | None:
        """The session that served when its server was interrupted, once."""
        return self._unnoted.pop((person, server), None)

    def take_interrupted(self, person: str, server: str) -> bool:
        """True once for each server that was interrupted."""
        if (person, server) not in self._interrupted:
            return False
        self._interrupted.remove((person, server))
        return True

    def begin(self) -> None:
        """Goes on with what an earlier hub left to be done. Needs a running loop."""
        self.cancellations.resume()
        if any(cluster.munge_uid is None for cluster in self._clusters.values()):
            try:
                _ = self.ticket_key  # now, as later the disk may be full
            except ClusterhubError as error:
                log.error("Tickets for sessions cannot be made: %s", error)

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

    @cached_property
    def ticket_key(self) -> bytes:
        """The key for tickets that are files."""
        return tickets.ensure_key(self.state_directory / "ticket.key")

    async def check_ticket(self, tag: str, ticket: Ticket, payload: str, given: str) -> tickets.Proof:
        """What the ticket vouches for; ``given`` as in `tickets.check_file_ticket`.

        Raises `tickets.TicketRefused`, and Later where there are too many.
        """
        # Either is proof by itself, and a job may have been submitted before the hub's machine had munge.
        if ticket.kind != "munge":
            return tickets.check_file_ticket(self.ticket_key, tag, ticket.value, payload, given)
        try:
            return await tickets.check_munge_ticket(ticket.value)
        except tickets.Crowded as error:
            raise Later(error.explanation.what) from None

    async def remove_ticket(self, cluster: str, tag: Tag) -> None:
        """The session of that tag, whose job is over or to end, leaves no file with its ticket behind."""
        if self[cluster].munge_uid is not None:
            return
        try:
            await self.broker.remove_ticket(tag.person, SessionPaths.of(self.site, tag).ticket_name)
        except ClusterhubError as error:
            log.warning("The ticket of %s is still there: %s", tag, error)

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

        That there is none the last look says as well, if no submission can have brought one since.

        Raises `SchedulerError` where the queue cannot be seen: then nobody knows whether there is one.
        """
        watch = self[cluster].watch
        looked = watch.good_since
        tells = time.monotonic() - looked < LOOK_AGE and self.submissions.are_shown(tag, looked)
        if tells and self._live(watch.snapshot, cluster, tag) is None:
            return None
        snapshot = await watch.refresh()
        if snapshot.error is not None:
            raise snapshot.error
        return self._live(snapshot, cluster, tag)

    def _live(self, snapshot: Snapshot, cluster: str, tag: Tag) -> Job | None:
        for job in snapshot.with_tag(str(tag), tag.person):
            if job.state.is_live and (cluster, job.id) not in self.cancellations:
                return job
        return None


@contextmanager
def clusters_for_a_command(site: Site) -> Iterator[Clusters]:
    """The clusters for a command at the terminal, beside the hub or without one.

    It leaves the state directory alone: what root writes there the hub's own account could not replace.
    """
    with tempfile.TemporaryDirectory(prefix="clusterhub-") as directory:
        yield Clusters(site, runtime_directory=Path(directory))


def broker_for(site: Site, schedulers: Mapping[str, Scheduler], runtime_directory: Path) -> Broker:
    """The broker of a site, for the account that this process runs as."""
    return Broker.for_this_process(
        helper_configuration(site, schedulers),
        runtime_directory=runtime_directory,
        mode="self" if site.login.method == "one-person" else "auto",
    )


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
        own_environments=any(
            key in (profile.choose or ()) for profile in site.profiles for key in ("own_path", "own_image")
        ),
        audit_log=str(site.hub.helper_log) if site.hub.helper_log is not None else None,
    )
