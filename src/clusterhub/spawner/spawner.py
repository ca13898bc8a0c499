"""JupyterHub's spawner for sessions that are jobs: what joins the rest of this room to JupyterHub."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from jupyterhub import orm
from jupyterhub.spawner import Spawner
from sqlalchemy.exc import OperationalError, PendingRollbackError
from traitlets import Float, default

from clusterhub.audit.events import FAILED, REFUSED, StartFailed
from clusterhub.errors import ClusterhubError
from clusterhub.languages.text import told
from clusterhub.privileged.broker import BrokerError
from clusterhub.schedulers.model import JobState, SchedulerError, SubmitRefused, SubmitUnreached
from clusterhub.schedulers.watch import Watch
from clusterhub.spawner.boarding import Question, Refused
from clusterhub.spawner.choosing import choice_of
from clusterhub.spawner.clusters import ACCOUNT_AGE
from clusterhub.spawner.durable import Durable
from clusterhub.spawner.endings import Session
from clusterhub.spawner.following import Following
from clusterhub.spawner.launch import LOOK_PAUSE, Given, Launch, SessionEnded
from clusterhub.spawner.options import ChoiceRefused
from clusterhub.spawner.outcomes import REQUEUED, TAKEN_BACK, NotStarted, exit_status
from clusterhub.spawner.own_environment import environment_of
from clusterhub.spawner.own_words import read_variables
from clusterhub.spawner.restored_server import RestoredServer
from clusterhub.spawner.session_state import SessionState, session_state
from clusterhub.spawner.time_left import time_left
from clusterhub.spawner.usage import Used, still_told

T = TypeVar("T")

LOOK_BACK = 10.0
"""Seconds that a restarted hub takes to find out what became of a session meanwhile."""

AWAY_PERCENT = 90
"""How far a session is that has served and cannot be visited just now."""


class ClusterSpawner(Durable, Spawner):
    """One person's server, running as one job."""

    reach_interval = Float(
        30.0,
        help="""
        Seconds between two looks whether the hub can reach a node where sessions are; 0 for none.

        Each look is one TCP connection that is closed at once; only where it fails each session of the node
        is looked at. People who visit a session that cannot be reached are told so, and their page goes on
        when it can.
        """,
    ).tag(config=True)

    cluster_name = ""
    profile_name = ""
    environment_path = ""  # the directory that the job is to run in, or a link to it

    _goes_on = False
    """True for a start that goes on with one that was interrupted."""
    _begins_anew = False
    """True once a new start has been asked for, as the scheduler has taken the job back."""
    _restored = False
    """True from a restart of the hub until the queue has been looked at for this session."""
    _is_over = False
    """True once JupyterHub was told that the job has ended."""
    _launch: Launch | None = None
    _used: Used | None = None

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._launched = asyncio.Event()
        self.following = Following(self)

    @default("env_keep")
    def _env_keep(self) -> list[str]:
        """Nothing of the hub's own environment is for sessions."""
        return []

    @default("apply_user_options")
    def _apply_user_options(self) -> Callable[[Spawner, object], None]:
        """Nothing is applied by JupyterHub: `parse_choice` reads the options when the start begins."""
        return lambda _spawner, _options: None

    async def start(self) -> str:
        """The endpoint's URL, once the session serves. Calling it twice makes one job."""
        if self._stop_pending:  # JupyterHub's database failed it between asking for the start and this
            return ""
        self._tag = self.clusters.tag(self.user.name, self.name)
        await self.clusters.endings.begin(self.tag)
        try:
            self._goes_on = self.clusters.take_interrupted(self.tag.person, self.tag.server)
            self._launch = await self._persistently(self._prepare)
            self._launched.set()
            self.job_id = await self._persistently(self._launch.ensure_job)
            self.save_state()
            url = self.taken_up() or await self._launch.until_ready()
            # JupyterHub notes the URL next; where it could not, it would end the job.
            await self.clusters.until_database()
            self.see_it_noted()
            return url
        except ClusterhubError as error:
            self.clusters.boarding.forget(str(self.tag))
            self.clusters.audit.note(
                StartFailed(
                    person=self.tag.person,
                    outcome=REFUSED if isinstance(error, ChoiceRefused) else FAILED,
                    why=type(error).__name__,
                    server=self.tag.server,
                    job=self.job_id,
                )
            )
            if not isinstance(error, ChoiceRefused | SessionEnded):  # one is no ending, the other is kept
                await self.clusters.endings.remember_failure(self._session, error)
            raise NotStarted(error) from None

    async def _persistently(self, step: Callable[[], Awaitable[T]]) -> T:
        """The step's outcome.

        A start that goes on with one that was interrupted tries on while nobody answers: its job may be in
        the queue, and must not be left there alone.
        """
        while True:
            try:
                return await step()
            except (SchedulerError, BrokerError) as error:
                refused = isinstance(error, SubmitRefused) and not isinstance(error, SubmitUnreached)
                if not self._goes_on or refused:
                    raise
                self.log.warning("The start of %s cannot go on yet: %s", self.tag, error)
            except (OperationalError, PendingRollbackError) as error:
                self.log.warning("The start of %s waits for the database: %s", self.tag, error)
                self.db.rollback()
                await self.clusters.until_database()
            await asyncio.sleep(LOOK_PAUSE)

    async def _prepare(self) -> Launch:
        site = self.clusters.site
        account = await self.clusters.broker.account(self.tag.person, max_age=ACCOUNT_AGE)
        choice = await choice_of(self.clusters, self.user_options, account, goes_on=self._goes_on)
        profile = site.profile_named(choice.profile)
        began_in = self.environment_path if self._goes_on else ""
        environment = await environment_of(self.clusters, choice, profile, account, began_in=began_in)
        # What was chosen, in full: a start that is gone on with later must not be read in another way.
        self.user_options = choice.as_options()
        self.cluster_name, self.profile_name = profile.cluster, profile.name
        self.environment_path = str(environment)
        # At once: what is not committed JupyterHub takes back when any request ends, and reads all anew.
        self.save_state()
        given = Given(self._session_environment, self._owns_token, self.note_endpoint)
        return Launch(
            self.clusters,
            tag=self.tag,
            account=account,
            profile=profile,
            choice=choice,
            environment=environment,
            given=given,
            unheard_until=self.clusters.unheard_until(self.user.name, self.name),
        )

    def _owns_token(self, token: str) -> bool:
        """True for the token that the session has now; one of before a restart of the hub becomes that."""
        if hmac.compare_digest(token.encode(), self.api_token.encode()):
            return True
        found = orm.APIToken.find(self.db, token)
        mine = found is not None and found.user is self.user.orm_user
        if not mine or found.note != f"Server at {self.server.base_url}":
            return False
        self.api_token = token  # JupyterHub drops the one that it had made, and knows the session by this one
        return True

    def time_left(self, asked: Question, token: str) -> Mapping[str, object]:
        """What is told to the session; what it says that it uses is noted. Raises Refused and Later."""
        if not self._owns_token(token) or asked.job != self.job_id:
            raise Refused("The token is not this session's.", where=f"job {asked.job}")
        if asked.usage is not None:
            self._used = Used.of(asked.usage, time.time())
        messages = self.clusters.messages.to(self.tag.person)
        return {
            **time_left(self.clusters, self.cluster_name, asked.job),
            "messages": [{"id": each.id, "text": each.text} for each in messages],
        }

    @property
    def _session(self) -> Session:
        """What is known of this session, should it end."""
        choice = self.user_options if isinstance(self.user_options, Mapping) else {}
        return Session(self.tag, self.cluster_name, self.profile_name, self.job_id, choice)

    def _session_environment(self, url: str) -> Mapping[str, str]:
        chosen = self._launch.choice.variables if self._launch is not None else None
        environment: dict[str, str] = {**read_variables(chosen or ""), **self.get_env()}
        environment["JUPYTERHUB_SERVICE_URL"] = url + self.server.base_url
        return environment

    def get_state(self) -> dict[str, Any]:
        """What a restarted hub needs to know of a session; everything else is in the queue."""
        state: dict[str, Any] = super().get_state()
        if self.environment_path:
            state["environment"] = self.environment_path
        if self.job_id:
            state.update(
                job=self.job_id,
                endpoint=self.endpoint,
                restart=self.restart,
                cluster=self.cluster_name,
                profile=self.profile_name,
            )
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Of a session that was starting or running when the hub was stopped."""
        super().load_state(state)
        self._tag = self.clusters.tag(self.user.name, self.name)
        self.job_id = state.get("job", "")
        self.endpoint = state.get("endpoint", "")
        self.restart = state.get("restart", 0)
        self.cluster_name = state.get("cluster", "")
        self.profile_name = state.get("profile", "")
        self.environment_path = state.get("environment", "")
        self._restored = bool(self.job_id)
        if self.orm_spawner.server is None:
            return
        if self.endpoint:
            self.server = RestoredServer.at(self.endpoint, self.orm_spawner.server)
        else:
            # JupyterHub takes it for running and would cancel a job that does not answer yet. As stopped it
            # keeps the job, which the new start finds by its tag.
            unheard = not self.job_id
            self.clear_state()
            self.environment_path = state.get("environment", "")
            self.clusters.interrupt(self.tag.person, self.tag.server, unheard=unheard)

    def clear_state(self) -> None:
        """Forgets the job that was; of one that runs again JupyterHub is done with the former run."""
        super().clear_state()
        if self._begins_anew:
            self.clusters.interrupt(self.tag.person, self.tag.server)
        elif not self.will_resume:
            self.environment_path = ""
        self.job_id = self.endpoint = self.cluster_name = self.profile_name = ""
        self.restart = 0
        self._used = None
        self._begins_anew = self._is_over = False
        self._launch = None
        self._launched.clear()

    async def poll(self) -> int | None:
        """None while the session runs, waits, or cannot be seen; else its job's exit code."""
        try:
            status = await self._status()
        except Exception:
            # JupyterHub takes an error for a session that does not run (`check_spawner`, after a restart).
            self.log.exception("%s is taken to be running, as this went wrong", self.tag)
            return None
        if status is not None:
            # JupyterHub notes the end next. Where it cannot it leaves the server stopping for ever.
            await self.clusters.until_database()
        return status

    async def _status(self) -> int | None:
        self._note_submission()
        if self._launch is not None and self._launch.is_submitting:
            return None
        if not self.job_id:
            return 0
        watch = self.watch
        if watch is None:
            self.log.warning("%s runs on %s, which is not in site.toml", self.tag, self.cluster_name)
            return None
        if self._restored:
            self._restored = False
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._look_back(watch), LOOK_BACK)
        # The latter: requeued after it had ended, while JupyterHub tidies up behind it.
        if self._was_requeued or (self._is_over and not watch.is_over(self.job_id)):
            self._begin_anew()
            return REQUEUED
        if not watch.is_over(self.job_id):
            return None
        self._is_over = True
        self.clusters.boarding.forget(str(self.tag), over=self.job_id)
        await self.clusters.remove_ticket(self.cluster_name, self.tag)
        explanation = await self.clusters.endings.remember(self._session, served=bool(self.endpoint))
        self.following.leave(NotStarted(SessionEnded(explanation)))
        return exit_status(watch.ending(self.job_id))

    @property
    def watch(self) -> Watch | None:
        """Of the cluster that the session is on; None where site.toml does not know it any more."""
        if self.cluster_name not in self.clusters.site.clusters:
            return None
        return self.clusters[self.cluster_name].watch

    @property
    def job_is_gone(self) -> bool:
        """True once the run of the job that served is over: ended, or taken back."""
        return self._was_requeued or (self.watch is not None and self.watch.is_over(self.job_id))

    @property
    def _was_requeued(self) -> bool:
        """True once the scheduler has taken back the run of the job that served."""
        job = self.watch.snapshot.jobs.get(self.job_id) if self.watch is not None else None
        if job is None or not self.endpoint or not job.state.is_live:
            return False
        return job.restarts > self.restart or job.state is JobState.QUEUED

    def _begin_anew(self) -> None:
        """For JupyterHub this server ends and one starts, whose job is found by its tag and boards anew."""
        if not self._begins_anew:
            self._begins_anew = True
            self.clusters.boarding.forget(str(self.tag))
            self.following.leave(NotStarted(SessionEnded(TAKEN_BACK)))

    def _note_submission(self) -> None:
        """A start that was broken off may have got its job's id after all."""
        if self._launch is not None and not self.job_id:
            self.job_id = self._launch.job_id

    async def _look_back(self, watch: Watch) -> None:
        """Of a session from before the hub was restarted: see whether it ended meanwhile, and why."""
        snapshot = await watch.refresh()
        if snapshot.error is None and self.job_id not in snapshot.jobs:
            await watch.until_over(self.job_id)

    async def stop(self, now: bool = False) -> None:  # noqa: ARG002 - JupyterHub's word for "at once"
        """Tells the scheduler to end the session's job, queued or running, which is followed until it has."""
        if self._launch is not None:
            await self._launch.settle()
        self._note_submission()
        self.clusters.boarding.forget(str(self.tag), over="" if self.is_unnoted else self.job_id)
        if not self.job_id or self.cluster_name not in self.clusters.site.clusters:
            return
        if self.is_unnoted:
            await self.leave_running()
            return
        await self.clusters.cancellations.cancel(self.cluster_name, self.tag.person, self.job_id)
        await self.clusters.remove_ticket(self.cluster_name, self.tag)
        await self.clusters.endings.remember_stop(self._session)
        await self.clusters.until_database()
        self.see_it_stopped()

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What the waiting page says: all of it so far, then what is added."""
        if self.following.absence is not None:
            async for absence in self.following.messages():
                words, heading = told(absence.words), told(absence.heading)
                yield {"progress": AWAY_PERCENT, "message": words, "heading": heading}
            return
        await self._launched.wait()
        if self._launch is not None:
            with self._launch.log.looked_at():
                async for event in self._launch.history.follow_events():
                    yield event

    @property
    def told(self) -> list[dict[str, Any]]:
        """What `progress` begins with, for a page that is made now."""
        if self.following.absence is not None or self._launch is None:
            return []
        return self._launch.history.events()

    @property
    def session_state(self) -> SessionState | None:
        """How the session is now, by the last snapshot; None where nothing runs or starts."""
        launch = self._launch
        if self.cluster_name not in self.clusters.site.clusters:
            return None
        cluster = self.clusters.at_rest(self.cluster_name)
        return session_state(
            cluster=self.cluster_name,
            profile=self.profile_name,
            job_id=self.job_id or (launch.job_id if launch is not None else ""),
            serves=bool(self.endpoint),
            scheduler=cluster.scheduler,
            snapshot=cluster.watch.snapshot,
            now=time.time(),
            absence=self.following.absence,
            used=still_told(self._used, time.time()),
        )

    def start_polling(self) -> None:
        """Besides JupyterHub's own polling, follows the job closely."""
        super().start_polling()
        self.following.begin()

    def stop_polling(self) -> None:
        """See `start_polling`."""
        super().stop_polling()
        self.following.end()
