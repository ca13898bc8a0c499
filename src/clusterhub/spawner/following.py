"""What the hub does for a session while it runs: notices its end, and lets its route follow its state.

A session that is suspended or out of reach has no route: whoever visits it gets the hub's waiting page, which
says why and goes on to the session when it is back. For JupyterHub that is a start that takes its time, which
it knows how to show, and how to stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from clusterhub.schedulers.model import Job, JobState, Snapshot
from clusterhub.schedulers.watch import Watch
from clusterhub.spawner.absence import Absence, absence_of
from clusterhub.spawner.reach import Reach

if TYPE_CHECKING:
    from clusterhub.spawner.spawner import ClusterSpawner

AGAIN = 5.0
"""Seconds until what could not be done is tried again, such as a change of the route."""


class Following:
    """Follows the job of one spawner from the moment it serves."""

    def __init__(self, spawner: ClusterSpawner) -> None:
        self._spawner = spawner
        self._task: asyncio.Task[None] | None = None
        self._reach: Reach | None = None
        self._doubted: asyncio.Future[None] | None = None
        self._changed = asyncio.Event()
        self._back: asyncio.Future[None] | None = None
        """JupyterHub's start that takes its time; None while the session can be visited."""
        self._routed = True
        self._look: asyncio.Task[Snapshot] | None = None
        """Held, so that the loop keeps it."""
        self.absence: Absence | None = None
        """Why the session cannot be visited now; None while it can."""

    def begin(self) -> None:
        """Follows from now on. Needs a running loop."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())

    def end(self) -> None:
        """Follows no more."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._task = None
        self.leave(None)

    def leave(self, error: Exception | None) -> None:
        """The session will not be back; whoever waits for it is told this error, if there is one."""
        back, self._back = self._back, None
        if back is None:
            return
        self._let_go(back)
        self._note(None)
        if back.done():
            return
        if error is None:
            back.cancel()
        else:
            # It counts as starting until JupyterHub has stopped it, which is next: it must not seem ready.
            self._spawner._spawn_pending = True
            back.set_exception(error)
            back.exception()  # there may be nobody who waits

    def doubt(self) -> None:
        """Somebody could not reach the session: see whether anybody can."""
        if self._reach is not None and self._spawner.reach_interval:
            self._reach.doubt()
            if self._doubted is not None and not self._doubted.done():
                self._doubted.set_result(None)

    async def messages(self) -> AsyncIterator[Absence]:
        """Why the session cannot be visited now, and each time that this changes, until it can."""
        while (absence := self.absence) is not None:
            yield absence
            while self.absence is absence:
                await self._changed.wait()

    async def _follow(self) -> None:
        spawner = self._spawner
        watch = spawner.watch
        if watch is None:
            return
        reach = self._reach = Reach(spawner.endpoint)
        while True:
            with spawner.clusters.nodes.watched(spawner.endpoint, spawner.reach_interval, self.doubt):
                await self._until_gone(watch, reach)
            # JupyterHub says so only once the route is gone: a start in that moment would be stopped as well.
            spawner._stop_pending = True
            try:
                if await spawner.poll_and_notify() is not None:
                    return
            finally:
                spawner._stop_pending = False
            # It is there after all, or nobody could tell: then it is suspended and out of reach as before.
            await asyncio.sleep(AGAIN)

    async def _until_gone(self, watch: Watch, reach: Reach) -> None:
        """Returns when the run of the job that serves is over. Wakes only when there is something to do."""
        spawner = self._spawner
        while True:
            changed = watch.job_changed(spawner.job_id)
            self._doubted = asyncio.get_running_loop().create_future()
            if spawner.job_is_gone:
                return
            job = watch.snapshot.jobs.get(spawner.job_id)
            shown = True
            try:
                # One that ends, or whose state is not known, stays as it is shown.
                if job is None or job.state.is_live:
                    shown = await self._show(absence_of(job, reachable=reach.reachable))
            except Exception:
                # Such as a proxy that is away.
                spawner.log.exception("The route of %s cannot be changed now", spawner.tag)
                shown = False
            suspended = job is not None and job.state is JobState.SUSPENDED
            pause = None if suspended else reach.delay
            if not shown:
                pause = AGAIN if pause is None else min(AGAIN, pause)
            await asyncio.wait([changed, self._doubted], timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if not suspended and await reach.fails() and (reach.failures == 1 or _ends(job)):
                self._look_at_queue(watch)

    def _look_at_queue(self, watch: Watch) -> None:
        """The job may have ended, or have been taken back. Not waited for: looks have their budget."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(watch.refresh())

    async def _show(self, absence: Absence | None) -> bool:
        """Lets page and route say this; False where that cannot be yet. Raises what the proxy does."""
        spawner = self._spawner
        proxy = spawner.user.settings["proxy"]
        if absence is None:
            if self._back is not None:
                await proxy.add_user(spawner.user, spawner.name)
                self._routed = True
                self._return()
            return True
        if self._back is None:
            if spawner.pending:  # JupyterHub starts or stops it just now
                return False
            spawner.log.warning("%s: %s", spawner.tag, absence.words)
            self._back = asyncio.get_running_loop().create_future()
            self._back.add_done_callback(self._given_up)
            spawner._spawn_future, spawner._spawn_pending = self._back, True
        if absence != self.absence:
            self._note(absence)
        if self._routed:
            await proxy.delete_user(spawner.user, spawner.name)
            self._routed = False
        return True

    def _return(self) -> None:
        back, self._back = self._back, None
        if back is None:  # stopped while the route was being made
            return
        self._spawner.log.warning("%s can be visited again", self._spawner.tag)
        self._let_go(back)
        self._note(None)
        back.set_result(None)

    def _given_up(self, back: asyncio.Future[None]) -> None:
        """JupyterHub cancels the start that takes its time when the person presses Stop."""
        if back is self._back and back.cancelled():
            self.end()

    def _let_go(self, back: asyncio.Future[None]) -> None:
        if self._spawner._spawn_future is back:
            self._spawner._spawn_future, self._spawner._spawn_pending = None, False

    def _note(self, absence: Absence | None) -> None:
        self.absence = absence
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _ends(job: Job | None) -> bool:
    return job is not None and job.state is JobState.ENDING
