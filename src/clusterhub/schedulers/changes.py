"""Who waits for news of one job: woken when there are some, and not by every look at the queue."""

from __future__ import annotations

import asyncio

from clusterhub.schedulers.ledger import Ledger


class Changes:
    """The waits for news, by job: a thousand sessions are followed at the price of those that change."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def of(self, job_id: str) -> asyncio.Future[None]:
        """Done at the next news of the job. Needs a running loop."""
        future = asyncio.get_running_loop().create_future()
        waiting = [each for each in self._waiting.get(job_id, ()) if not each.done()]
        self._waiting[job_id] = [*waiting, future]
        return future

    def tell(self, before: Ledger, after: Ledger) -> None:
        """Wakes whoever waits for a job that these two show differently."""
        for job_id in [job_id for job_id in self._waiting if _differs(job_id, before, after)]:
            for future in self._waiting.pop(job_id):
                if not future.done():
                    future.set_result(None)
        # Of whoever does not wait any more, such as for jobs that are over.
        for job_id in [job_id for job_id, waiting in self._waiting.items() if all(map(_is_done, waiting))]:
            del self._waiting[job_id]


def _differs(job_id: str, before: Ledger, after: Ledger) -> bool:
    return before.snapshot.jobs.get(job_id) != after.snapshot.jobs.get(job_id) or (
        before.is_over(job_id) != after.is_over(job_id)
    )


def _is_done(future: asyncio.Future[None]) -> bool:
    return future.done()
