"""How sessions ended: explained, and kept for the person's page, the REST API and `clusterhub why`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pwd
import sqlite3
import time
from collections.abc import Callable, Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clusterhub.audit.events import Ended
from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.languages.text import _
from clusterhub.schedulers.model import Job, JobState, Memory, Outcome
from clusterhub.site.schema import Site
from clusterhub.spawner.ending_store import Ending, EndingStore, Recent
from clusterhub.spawner.explanations import Asked, explain_ending
from clusterhub.spawner.job_request import SessionPaths
from clusterhub.spawner.mending import remedy_of_ending, remedy_of_failure
from clusterhub.spawner.tags import Tag

if TYPE_CHECKING:
    from clusterhub.spawner.clusters import Clusters

log = logging.getLogger("clusterhub")

LOG_BYTES = 16384
LOG_TRIES = 4
LOG_PAUSE = 0.4
"""Seconds: a network file system may show a log's last lines a moment after the job has ended."""


@dataclass(frozen=True)
class Session:
    """Which job it was that ended, and what was chosen for it."""

    tag: Tag
    cluster: str
    profile: str
    job: str
    choice: Mapping[str, object] = field(default_factory=dict)
    """As `clusterhub.spawner.options.Choice.as_options` has it."""

    def asked(self, site: Site) -> Asked:
        """What it had asked the scheduler for, as far as its profile is still there to tell."""
        size, seconds = self.choice.get("memory"), self.choice.get("time")
        profile = site.find_profile(self.profile)
        per_cpu = profile is not None and profile.memory is not None and profile.memory.per == "cpu"
        return Asked(
            Memory(size, "cpu" if per_cpu else "node") if isinstance(size, int) else None,
            seconds if isinstance(seconds, int) else None,
        )


class Endings:
    """How the last session of each tag ended."""

    def __init__(self, clusters: Clusters, path: Path) -> None:
        self._clusters = clusters
        self._store = EndingStore(path)
        self._writer = ThreadPoolExecutor(1, "clusterhub-endings")
        self._unwritten: dict[str, Ending] = {}
        self._remembering: dict[str, tuple[str, asyncio.Task[Explanation]]] = {}
        self._learning: dict[str, asyncio.Task[None]] = {}
        self._stopped_because: dict[str, Explanation] = {}

    def last(self, tag: Tag) -> Ending | None:
        """How the last session of that tag ended; None where none did, or too long ago.

        Raises ClusterhubError where that cannot be read.
        """
        return self._unwritten.get(str(tag)) or self._store.last(str(tag))

    def on_page(self, person: str, server: str) -> Ending | None:
        """What the page of a server that does not run says of its end, if anything."""
        try:
            ending = self.last(self._clusters.tag(person, server))
        except ClusterhubError as error:
            log.warning("The page does not tell how a session ended: %s", error)
            return None
        return ending if ending is not None and ending.on_page else None

    def recent(self, person: str) -> tuple[Recent, ...]:
        """How the last few sessions of that person ended, newest first."""
        try:
            return self._store.recent(person)
        except ClusterhubError as error:
            log.warning("The page does not tell how sessions ended: %s", error)
            return ()

    async def begin(self, tag: Tag) -> None:
        """A new session of that tag starts: the page is not to show the former one's end any more."""
        self._remembering.pop(str(tag), None)
        self._stopped_because.pop(str(tag), None)
        self._stop_learning(str(tag))
        if ending := self._unwritten.get(str(tag)):
            self._unwritten[str(tag)] = replace(ending, on_page=False)
        await self._write(lambda: self._store.take_off_page(str(tag)))

    async def remember(self, session: Session, *, served: bool) -> Explanation:
        """Keeps why a job ended, and returns it; later it is said better, as accounting tells more.

        It goes on if whoever waits for it is cancelled. A second call for the same job returns what the first
        one does.
        """
        tag = str(session.tag)
        if tag not in self._remembering or self._remembering[tag][0] != session.job:
            task = asyncio.create_task(self._remember(session, served=served))
            self._remembering[tag] = session.job, task
        return await asyncio.shield(self._remembering[tag][1])

    async def _remember(self, session: Session, *, served: bool) -> Explanation:
        try:
            text = await self._read_log(session)
            job = self._job(session)
            ending = await self._explained(session, job, text, served=served)
            self._clusters.audit.note(
                Ended(
                    person=session.tag.person,
                    server=session.tag.server,
                    cluster=session.cluster,
                    job=session.job,
                    ended_as=ending.outcome.value if ending.outcome is not None else "",
                    exit_code=ending.exit_code,
                    signal=ending.signal,
                )
            )
            await self._keep(session, ending)
        except Exception:
            # A mistake of ours must not leave a session that has ended as one that runs.
            log.exception("It cannot be told why job %s ended", session.job)
            again = _("Start it again; if that fails too, tell your operators.")
            return Explanation(
                _("Your session ended; why cannot be told."), _("job {job}").format(job=session.job), again
            )
        tag = str(session.tag)
        self._stop_learning(tag)
        self._learning[tag] = asyncio.create_task(self._learn(session, job, text, served=served))
        return ending.explanation

    async def remember_failure(self, session: Session, error: ClusterhubError) -> None:
        """Keeps why a start came to nothing, for another reason than the end of its job."""
        ending = Ending(
            error.explanation,
            session.profile,
            time.time(),
            session.job,
            served=False,
            remedy=remedy_of_failure(error) or "",
        )
        await self._keep(session, ending)

    async def remember_stop(self, session: Session) -> None:
        """Keeps that the hub was asked to stop a session, unless there is more to say of that job."""
        with contextlib.suppress(ClusterhubError):
            last = self.last(session.tag)
            if last is not None and last.job == session.job:
                return
        reason = self._stopped_because.pop(str(session.tag), None)
        explanation = reason or Explanation(
            _("The session was stopped through the hub."),
            _("job {job}").format(job=session.job),
            _("Start it again when you need it; your files are as you saved them."),
        )
        ending = Ending(
            explanation,
            session.profile,
            time.time(),
            session.job,
            Outcome.CANCELLED,
            on_page=reason is not None,
        )
        await self._keep(session, ending)

    def explain_stop(self, tag: Tag, explanation: Explanation) -> None:
        """The stop of that session which is asked for next is not the person's own wish."""
        self._stopped_because[str(tag)] = explanation

    def _job(self, session: Session) -> Job:
        watch = self._clusters[session.cluster].watch
        return watch.ending(session.job) or Job(session.job, JobState.ENDED)

    async def _explained(self, session: Session, job: Job, text: str, *, served: bool) -> Ending:
        site = self._clusters.site
        profile = site.find_profile(session.profile)
        now = time.time()
        operators = self._clusters[session.cluster].scheduler.operators
        by = await asyncio.to_thread(canceller, job.cancelled_by, session.tag.person, operators)
        explanation = explain_ending(
            job,
            text,
            profile=profile.title if profile is not None else "",
            cancelled_by=by,
            asked=session.asked(site),
        )
        return Ending(
            explanation,
            profile=session.profile,
            # Of a job that was gone unseen the scheduler only told when its limit would end it.
            ended_at=min(job.ends_at or now, now),
            job=job.id,
            outcome=job.outcome,
            exit_code=job.exit_code,
            signal=job.signal,
            served=served,
            remedy=remedy_of_ending(job, explanation) or "",
        )

    async def _learn(self, session: Session, told: Job, text: str, *, served: bool) -> None:
        """The queue says that a job ended; accounting, which may answer later, by whom and with how much."""
        cluster = self._clusters[session.cluster]
        if cluster.scheduler.accounting([session.job]) is None:
            return
        settled = False
        while not settled:
            # Accounting may be away for hours: it is listened to until it has said what it knows.
            seen, settled = cluster.watch.snapshot, cluster.watch.is_settled(session.job)
            job = self._job(session)
            if job != told:
                told = job
                await self._keep(session, await self._explained(session, job, text, served=served))
            if not settled:
                await cluster.watch.changed(seen)

    def _stop_learning(self, tag: str) -> None:
        task = self._learning.pop(tag, None)
        if task is not None:
            task.cancel()

    async def _keep(self, session: Session, ending: Ending) -> None:
        self._unwritten[str(session.tag)] = replace(ending, choice=session.choice)
        unwritten = dict(self._unwritten)  # also what could not be written before
        if await self._write(lambda: self._store.keep(unwritten)):
            for written, as_it_was in unwritten.items():
                if self._unwritten.get(written) is as_it_was:
                    del self._unwritten[written]

    async def _write(self, change: Callable[[], None]) -> bool:
        """Makes a change of the store in a thread, one after the other; False where it cannot be made."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, change)
        except (OSError, sqlite3.Error) as error:
            log.warning("How sessions end is not kept for the next hub: %s: %s", self._store.path, error)
            return False
        return True

    async def _read_log(self, session: Session) -> str:
        """The end of the job's log, which may take a moment to be seen here."""
        name = SessionPaths.of(self._clusters.site, session.tag).log_name(session.job)
        for trial in range(LOG_TRIES):
            if trial:
                await asyncio.sleep(LOG_PAUSE)
            try:
                text = await self._clusters.broker.read_log(session.tag.person, name, LOG_BYTES)
            except ClusterhubError as error:
                log.info("No log of job %s: %s", session.job, error)
                text = ""
            if text or self._job(session).started_at is None:
                return text
        return ""


def canceller(uid: int | None, person: str, operators: Container[str]) -> str:
    """Who cancelled a job, in a word that follows "by"; empty where nobody tells.

    ``operators`` are accounts that act for no one person. Asks for the account, which may take a while.
    """
    if uid is None:
        return ""
    try:
        name = pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        name = f"uid {uid}"
    if name == person:
        return _("you")
    return _("an operator") if uid == 0 or name in operators else name
