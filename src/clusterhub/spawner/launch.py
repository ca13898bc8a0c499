"""One start of one session: submitted or adopted, followed until it serves or until we know why not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import jupyterhub

from clusterhub.audit.events import Adopted, Submitted
from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.languages.text import _
from clusterhub.privileged.broker import Account
from clusterhub.schedulers.model import Job, JobState, SchedulerError, Snapshot, SubmitUnclear
from clusterhub.site.schema import Profile
from clusterhub.spawner import tickets
from clusterhub.spawner.boarding import Claim, Expectation, Ready, Ticket
from clusterhub.spawner.certificates import Certificates
from clusterhub.spawner.clusters import Clusters
from clusterhub.spawner.endings import Session
from clusterhub.spawner.interfaces import ARGUMENTS, interface_of
from clusterhub.spawner.job_request import SessionPaths, job_request, ticket_settings
from clusterhub.spawner.options import Choice
from clusterhub.spawner.patience import check_patience
from clusterhub.spawner.progress import History, Progress, progress_of
from clusterhub.spawner.start_log import LOG_BYTES, StartLog
from clusterhub.spawner.tags import Tag
from clusterhub.spawner.time_left import seconds_left
from clusterhub.spawner.waiting import joined_message
from clusterhub.tls.names import session_name

LOOK_PAUSE = 5.0
"""Seconds between two looks for a job of which we do not know whether it was submitted."""

NOTE_PAUSE = 2.0
"""Seconds after which a start that waits for its turn says again how many are ahead."""

LOOKS = 3
"""Good looks at the queue without the job, after which it was not submitted."""


class SessionEnded(ClusterhubError):
    """The session ended before it served."""

    def __init__(self, explanation: Explanation) -> None:
        super().__init__(explanation.what)
        self.explanation = explanation


@dataclass(frozen=True)
class Given:
    """What JupyterHub gives to a session."""

    environment: Callable[[str], Mapping[str, str]]
    """The session's variables, for the URL that it listens on."""
    owns_token: Callable[[str], bool]
    """Whether this token is the session's."""
    serves: Callable[[str, int], None]
    """Makes it durable that the session serves, at which URL and in which run of its job, before it hears
    that we know."""


def listening_url(said: Claim | Ready) -> str:
    """Where the session listens."""
    host = f"[{said.address}]" if ":" in said.address else said.address
    return f"http://{host}:{said.port}"


def endpoint_url(said: Claim | Ready, *, tls: bool) -> str:
    """Where the session is reached: with TLS under the name that is in its certificate."""
    return f"https://{name_of(said)}:{said.port}" if tls else listening_url(said)


def name_of(said: Claim | Ready) -> str:
    """The name of this run of the session's job."""
    return session_name(said.tag, said.job, said.restart, said.address)


class Launch:
    """One start of one person's server."""

    def __init__(
        self,
        clusters: Clusters,
        *,
        tag: Tag,
        account: Account,
        profile: Profile,
        choice: Choice,
        environment: Path,
        given: Given,
        unheard_until: float = 0.0,
    ) -> None:
        """``unheard_until``: until then (`time.monotonic`) a submission of an earlier hub may bring a job."""
        self.clusters = clusters
        self.cluster = clusters[profile.cluster]
        self.tag = tag
        self.account = account
        self.profile = profile
        self.choice = choice
        self.environment = environment
        self.given = given
        self._unheard_until = unheard_until
        self._looking = False
        """True while it is not known whether there is a job."""
        self._joined = ""
        """What the page says where an earlier job was found that is not what was chosen."""
        self.job_id = ""
        self.endpoint = ""
        self.restart = 0
        """Which run of the job it is that serves: how often the scheduler had restarted it."""
        self.history = History()
        """What the person's page says of this start."""
        self.log = StartLog(clusters.log_looks, self._read_log, lambda: self._runs, self._note)
        self._given_up = False
        self._ticket_secret = ""
        """Of the job that this start submitted, where tickets are not munge's."""
        self._boarded = asyncio.Event()
        self._ready = asyncio.Event()
        self._submission: asyncio.Task[str] | None = None

    async def ensure_job(self) -> str:
        """The id of this session's one job: a live one that is found by its tag, or a new one.

        A job that boards before the answer to its submission comes is the answer. Raises ClusterhubError. If
        it is cancelled meanwhile, the submission itself goes on; see `settle`.
        """
        self._expect()
        self._submission = asyncio.create_task(self._find_or_submit())
        boarded = asyncio.create_task(self._boarded.wait())
        try:
            while not self._submission.done() and not boarded.done():
                self._note()
                await asyncio.wait(
                    [self._submission, boarded], timeout=NOTE_PAUSE, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            boarded.cancel()
        return self._submission.result() if self._submission.done() else self.job_id

    async def _find_or_submit(self) -> str:
        live = await self._live_job()
        while live is None and time.monotonic() < self._unheard_until:
            self._look_on()
            await asyncio.sleep(LOOK_PAUSE)
            live = await self._live_job()
        if live is not None:
            self._joined = joined_message(live, self.profile)
            self.job_id = live.id
            self._note_job(Adopted)
            return live.id
        if self._given_up:
            raise ClusterhubError(_("The start was stopped before anything was submitted."))
        self._looking = False
        return await self._submit()

    async def _live_job(self) -> Job | None:
        """See `Clusters.live_job`. Raises SchedulerError, in words for whoever waits for a start."""
        try:
            return await self.clusters.live_job(self.cluster.name, self.tag)
        except SchedulerError as error:
            raise SchedulerError(
                _("The scheduler cannot be reached, so nothing was submitted. {what}").format(
                    what=error.explanation.what
                ),
                where=error.explanation.where,
                next=_("Try again in a few minutes; if it stays so, tell your operators."),
            ) from error

    def _look_on(self) -> None:
        self._looking = True
        self._note()

    async def settle(self) -> None:
        """Returns when no submission is under way any more, so that it is known what there is to stop.

        A submission that has not begun by now will not.
        """
        self._given_up = True
        if self._submission is not None:
            await asyncio.wait([self._submission])

    @property
    def session(self) -> Session:
        """What is known of this session, should it end."""
        return Session(
            self.tag, self.profile.cluster, self.profile.name, self.job_id, self.choice.as_options()
        )

    @property
    def is_submitting(self) -> bool:
        """True while a job may be about to appear of which the id is not known."""
        return self._submission is not None and not self._submission.done()

    async def until_ready(self) -> str:
        """The endpoint's URL, once the session serves there.

        Raises SessionEnded where the job ended before, ClusterhubError where patience did.
        """
        watch = self.cluster.watch
        submitted = time.monotonic()
        running_since: float | None = None
        with watch.urgent():
            while not self._ready.is_set():
                snapshot = watch.snapshot
                self._note()
                if watch.is_over(self.job_id):
                    raise SessionEnded(await self.clusters.endings.remember(self.session, served=False))
                now = time.monotonic()
                running_since = (running_since or now) if self._runs else None
                ran = None if running_since is None else now - running_since
                check_patience(self.clusters.site, self.job_id, waited=now - submitted, ran=ran)
                await self._next_event(snapshot)
        return self.endpoint

    def _note(self) -> None:
        """Adds to the history what is new."""
        job = self.cluster.watch.snapshot.jobs.get(self.job_id)
        if job is not None and job.submitted_at is not None:
            self.history.submitted_at = job.submitted_at
        self.history.note(self._progress())

    def _progress(self) -> Progress:
        ahead = self.clusters.broker.ahead(self._submission) if self._submission is not None else 0
        return progress_of(
            self.cluster.watch.snapshot,
            self.job_id,
            scheduler=self.cluster.scheduler,
            cluster=self.cluster.name,
            starts_ahead=ahead,
            looking=self._looking,
            boarded=bool(self.endpoint),
            earlier_job=self._joined,
            log=self.log.lines,
            now=time.time(),
        )

    def _expect(self) -> None:
        cluster = self.cluster.name

        async def find_job(job_id: str) -> Job | None:
            return await self.clusters.find_running(cluster, job_id)

        async def check_ticket(ticket: Ticket, payload: str) -> tickets.Proof:
            return await self.clusters.check_ticket(str(self.tag), ticket, payload, self._ticket_secret)

        self.clusters.boarding.expect(
            Expectation(
                tag=str(self.tag),
                person=self.account.name,
                uid=self.account.uid,
                find_job=find_job,
                check_ticket=check_ticket,
                board=self._board,
                owns_token=self.given.owns_token,
                ready=self._note_ready,
                any_address=self.clusters.site.sessions.interface is not None,
                local=self.cluster.scheduler.runs_here,
            )
        )

    async def _submit(self) -> str:
        site = self.clusters.site
        munge_uid = self.cluster.munge_uid
        settings = ticket_settings(site, self.tag, munge_uid)
        request = job_request(
            site,
            profile=self.profile,
            choice=self.choice,
            account=self.account,
            tag=self.tag,
            ticket=settings,
            authority=self._certificates.authority if self._certificates is not None else "",
            environment=self.environment,
        )
        ticket = None
        if munge_uid is None:
            name = SessionPaths.of(site, self.tag).ticket_name
            self._ticket_secret = tickets.file_secret(self.clusters.ticket_key, str(self.tag))
            ticket = (name, self._ticket_secret)
        scheduler = self.cluster.scheduler
        with self.clusters.submissions.under_way(self.tag):
            result = await self.clusters.broker.submit(
                self.account.name, scheduler.submission(request), ticket=ticket
            )
            try:
                self.job_id = scheduler.parse_submission(result)
            except SubmitUnclear as error:
                self.job_id = await self._look_for_job(error)
        self._note_job(Submitted)
        # Not looked for at once: its claim asks for a look if it runs soon, and looks have their budget.
        return self.job_id

    def _note_job(self, event: type[Submitted | Adopted]) -> None:
        person, profile = self.tag.person, self.profile
        self.clusters.audit.note(
            event(
                person=person,
                server=self.tag.server,
                cluster=profile.cluster,
                profile=profile.name,
                job=self.job_id,
            )
        )

    async def _look_for_job(self, unclear: SubmitUnclear) -> str:
        """After a submission without a certain answer: the queue is the ledger."""
        good_looks = 0
        while good_looks < LOOKS:
            self._look_on()
            await asyncio.sleep(LOOK_PAUSE)
            if self._boarded.is_set():
                return self.job_id
            try:
                job = await self.clusters.live_job(self.cluster.name, self.tag)
            except SchedulerError:
                continue  # not seen is not absent: only good looks count
            if job is not None:
                return job.id
            good_looks += 1
        raise unclear

    async def _board(self, claim: Claim) -> Mapping[str, object]:
        self._note()
        self.job_id, self.restart = claim.job, claim.restart
        self.endpoint = self._endpoint(claim)
        self._boarded.set()
        self._note()
        interface = interface_of(self.clusters.site, self.choice.interface)
        environment = dict(self.given.environment(listening_url(claim)))
        environment["JUPYTERHUB_DEFAULT_URL"] = interface.default_url
        page_config = dict(interface.page_config)
        if not self.clusters.site.hub.subdomains:
            # On one domain a page of anybody's session has the same origin, and its websockets would carry
            # this person's cookies: a terminal of theirs. JupyterLab's own carry the token, which such a page
            # cannot read.
            environment.setdefault("JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH", "0")
            page_config["appendToken"] = "true"
        # Only where root runs a site for itself: the helper serves no other root.
        as_root = ["--ServerApp.allow_root=True"] if self.account.uid == 0 else []
        return {
            "tls": self._identity(claim),
            "environment": environment,
            "hub_version": jupyterhub.__version__,
            "arguments": [*ARGUMENTS, *as_root],
            "page_config": page_config,
            "app": interface.app,
            "workspace": dict(interface.workspace),
            "user_config": self.clusters.site.sessions.user_config,
            "tcp_kernels": list(self.clusters.site.sessions.tcp_kernels),
            "sqlite_in_home": self.clusters.site.sessions.sqlite_in_home,
            "remaining_s": seconds_left(self.cluster.watch.snapshot.jobs.get(claim.job), time.time()),
        }

    @property
    def _certificates(self) -> Certificates | None:
        return self.clusters.certificates

    def _endpoint(self, said: Claim | Ready) -> str:
        return endpoint_url(said, tls=self._certificates is not None)

    def _identity(self, claim: Claim) -> Mapping[str, str] | None:
        """The session's key and certificate. A claim that is asked again gets others for the same name."""
        return asdict(self._certificates.issue(name_of(claim))) if self._certificates is not None else None

    def _note_ready(self, ready: Ready) -> None:
        self.restart = ready.restart
        self.endpoint = self._endpoint(ready)
        self.given.serves(self.endpoint, ready.restart)
        self._ready.set()

    @property
    def _runs(self) -> bool:
        job = self.cluster.watch.snapshot.jobs.get(self.job_id)
        return job is not None and job.state is JobState.RUNNING

    async def _read_log(self) -> str:
        name = SessionPaths.of(self.clusters.site, self.tag).log_name(self.job_id)
        return await self.clusters.broker.read_log(self.tag.person, name, LOG_BYTES)

    async def _next_event(self, seen: Snapshot) -> None:
        """Returns when the session reports, the queue changes, or a little time has passed."""
        waits: list[Awaitable[object]] = [self._ready.wait(), self.cluster.watch.changed(seen, LOOK_PAUSE)]
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
