"""What JupyterHub's database is told of a session, and what happens where it cannot be told."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from clusterhub.spawner.boarding import Later
from clusterhub.spawner.clusters import SETTING, Clusters, Unnoted
from clusterhub.spawner.tags import Tag

SAVE_PAUSE = 5.0
"""Seconds until state that the database did not take is saved again."""


class Durable:
    """The part of a spawner that loses no job where the hub's database is away."""

    # What JupyterHub's Spawner has, and ours.
    user: Any
    name: Any
    server: Any
    db: Any
    log: Any
    orm_spawner: Any
    will_resume: Any
    _stop_pending: Any
    _spawn_future: Any
    _stop_future: Any = None
    get_state: Any

    job_id = ""
    endpoint = ""
    """URL where the session serves; empty until it has said so."""
    restart = 0
    """How often the scheduler had restarted the job when the session began to serve."""

    user_options: Any
    api_token: Any
    _tag: Tag | None = None
    _saving: asyncio.Task[None] | None = None
    _noting: asyncio.Task[None] | None = None
    _unnoted = False
    """True while a start is undone that JupyterHub could not note."""

    @property
    def clusters(self) -> Clusters:
        """What the hub holds for its clusters."""
        clusters: Clusters = self.user.settings[SETTING]
        return clusters

    @property
    def tag(self) -> Tag:
        """By which this session's job is found in the queue."""
        # Kept: the names come from the database, which may be away.
        return self._tag or self.clusters.tag(self.user.name, self.name)

    def note_endpoint(self, url: str, restart: int) -> None:
        """Makes it durable that the session serves. Raises `Later` where that cannot be done now."""
        self.endpoint, self.restart = url, restart
        if not self.save_state():
            raise Later("The hub cannot note in its database now that the session serves.")

    def save_state(self) -> bool:
        """Makes the job's id durable now: JupyterHub itself does so only when the server is ready.

        False where the database does not take it; then it is saved when the database can be used again.
        """
        try:
            self.orm_spawner.state, self.orm_spawner.user_options = self.get_state(), self.user_options
            self.db.commit()
        except SQLAlchemyError as error:
            self.log.warning("The job of %s is not noted yet: %s", self.tag, error)
            self.db.rollback()
            if self._saving is None or self._saving.done():
                self._saving = asyncio.create_task(self._save_later())
            return False
        return True

    async def _save_later(self) -> None:
        saved = False
        while self.job_id and not saved:
            await asyncio.sleep(SAVE_PAUSE)
            await self.clusters.until_database()
            saved = not self.job_id or self.save_state()

    def see_it_noted(self) -> None:
        """JupyterHub is about to note the URL of a start that came to its end; if it cannot, undo that."""
        self._noting = asyncio.create_task(self._see_it_noted(self._spawn_future))

    @property
    def is_unnoted(self) -> bool:
        """True where JupyterHub stops a session only because it could not note that it serves."""
        return bool(self.endpoint) and (self._unnoted or isinstance(sys.exc_info()[1], SQLAlchemyError))

    async def leave_running(self) -> None:
        """The job goes on, with its token, and a new start takes it up."""
        self.will_resume = True
        await self.clusters.until_database()
        unnoted = Unnoted(self.job_id, self.endpoint, self.restart, self.api_token)
        self.clusters.interrupt(self.tag.person, self.tag.server, unnoted=unnoted)

    async def _see_it_noted(self, start: asyncio.Future[None] | None) -> None:
        """Where JupyterHub could not note the URL after all, it has left the server half stopped."""
        if start is not None:
            await asyncio.wait({start})
        if start is None or start.cancelled() or not isinstance(start.exception(), SQLAlchemyError):
            return
        await self.clusters.until_database()
        if self._stop_pending or self.server is not None:
            self._unnoted = True
            await self.user.stop(self.name)

    def taken_up(self) -> str:
        """The endpoint's URL where the job serves already: JupyterHub had failed to note that."""
        unnoted = self.clusters.take_unnoted(self.tag.person, self.tag.server)
        if unnoted is None or unnoted.job != self.job_id:
            return ""
        self.api_token = unnoted.token
        self.note_endpoint(unnoted.endpoint, unnoted.restart)
        return unnoted.endpoint

    def see_it_stopped(self) -> None:
        """JupyterHub is about to note that the server is gone; where it cannot, it leaves it half stopped."""
        self._noting = asyncio.create_task(self._see_it_stopped(self._stop_future))

    async def _see_it_stopped(self, stop: asyncio.Future[None] | None) -> None:
        if stop is None:
            return
        await asyncio.wait({stop})
        if not self._is_kept:
            return
        self.log.warning("The stop of %s is not noted yet", self.tag)
        await self.clusters.until_database()
        if self._is_kept and not self._stop_pending:
            await self.user.stop(self.name)

    @property
    def _is_kept(self) -> bool:
        """True while JupyterHub has this very server in mind; it drops what it has stopped."""
        return self.name in self.user.spawners and self.user.spawners[self.name] is self
