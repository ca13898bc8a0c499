"""Whether the hub's database can be used: known before the hub uses it, and waited for where it cannot.

JupyterHub speaks with its database on the hub's loop, in one session of SQLAlchemy for everybody. One that is
locked stops the whole hub for seconds at each statement, and one that fails leaves JupyterHub's servers half
started or half stopped. So requests and spawners ask here first; the looking is done in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.exc import OperationalError

from clusterhub.hub.database import Database, DatabaseAway, Reminder, is_outage, reason

log = logging.getLogger("clusterhub")

FRESH = 1.0
"""Seconds for which a good look counts: at most one a second, however many people ask."""

PATIENCE = 2.0
"""Seconds that a request waits for a look before the person is told that the database is away."""

PAUSE = 1.0
"""Seconds between two looks at a database that is away."""

WORDS = (
    "The hub cannot use its database at the moment. Sessions go on running, and queued jobs keep their place."
)


class DatabaseFailed(OperationalError):
    """What JupyterHub gets instead of the driver's error, whose text would reach a person's page."""

    jupyterhub_message = WORDS

    def __init__(self, original: BaseException, *, disconnected: bool = False) -> None:
        super().__init__(None, None, original, connection_invalidated=disconnected)

    def __str__(self) -> str:
        return WORDS


class Availability:
    """Of one hub's database. All but the looks themselves runs on the hub's loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.undo: Callable[[], None] = lambda: None
        """Called before a look at a database that the hub failed to use: rolls its own session back."""
        self._thread = ThreadPoolExecutor(1, "clusterhub-database")
        self._good_at = self._good_since = float("-inf")
        """When the last good look ended, and began."""
        self._trouble: DatabaseAway | None = None
        self._suspect = False
        """True once the hub's own use of the database failed: then only a commit shows that it is back."""
        self._writes = False
        """True while the hub itself has written what it has not committed."""
        self._reminder = Reminder()
        self._looking: asyncio.Task[None] | None = None
        self._first_look = asyncio.Event()

    def __deepcopy__(self, memo: object) -> Availability:
        """Itself: traitlets copies what it is configured with, and of this there is one."""
        return self

    async def is_usable(self) -> bool:
        """True where the database could be read and written within the last second or can be now."""
        if self._trouble is None and not self._is_fresh:
            self._begin_to_look()
            try:
                await asyncio.wait_for(self._first_look.wait(), PATIENCE)
            except asyncio.TimeoutError:
                return False
        return self._trouble is None and self._is_fresh

    async def until_usable(self) -> None:
        """Returns after a good look that was begun after the call: for what must not fail next."""
        asked_at = time.monotonic()
        while self._trouble is not None or self._good_since < asked_at:
            await asyncio.wait({self._begin_to_look()})

    @property
    def _is_fresh(self) -> bool:
        return time.monotonic() - self._good_at < FRESH

    def _begin_to_look(self) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._first_look = asyncio.Event()
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return self._looking

    async def _look(self) -> None:
        """Looks until a look is good."""
        loop = asyncio.get_running_loop()
        while True:
            thorough, begun_at = self._suspect, time.monotonic()
            if thorough or self._trouble is not None:
                self.undo()
            elif self._writes:
                # So it can be written. SQLite lets nobody else write then: a look would take the hub for
                # another process that holds the file.
                break
            try:
                await loop.run_in_executor(self._thread, partial(self._database.check, thoroughly=thorough))
            except DatabaseAway as away:
                self._note(away)
                self._first_look.set()
            else:
                if thorough or not self._suspect:  # it may have become so meanwhile
                    break
                continue
            await asyncio.sleep(PAUSE)
        if self._trouble is not None:
            log.warning("The hub's database can be used again: %s", self._database)
        self._trouble, self._suspect, self._reminder = None, False, Reminder()
        self._good_since, self._good_at = begun_at, time.monotonic()
        self._first_look.set()

    def _note(self, away: DatabaseAway) -> None:
        if self._reminder.is_due():
            log.error("%s", away)
        self._trouble = away

    def guard(self, engine: Engine) -> None:
        """Has the hub's own use of its database end at once while that is away, and be told of here."""

        @event.listens_for(engine, "handle_error")
        def note_failure(context: ExceptionContext) -> BaseException | None:
            error = context.sqlalchemy_exception
            if isinstance(context.original_exception, DatabaseFailed) or not is_outage(error):
                return None
            self._suspect = True
            self._note(self._database.away(reason(context.original_exception)))
            self._begin_to_look()
            return DatabaseFailed(context.original_exception, disconnected=context.is_disconnect)

        @event.listens_for(engine, "before_cursor_execute")
        def refuse(*_: object) -> None:
            if self._trouble is not None:
                self._suspect = True  # whoever asks has a session that is to be rolled back
                raise DatabaseFailed(self._trouble)

        @event.listens_for(engine, "after_cursor_execute")
        def note_writing(*of_a_statement: Any) -> None:
            context = of_a_statement[4]
            self._writes |= bool(context and (context.isinsert or context.isupdate or context.isdelete))

        @event.listens_for(engine, "commit")
        @event.listens_for(engine, "rollback")
        def note_end(_connection: object) -> None:
            self._writes = False
