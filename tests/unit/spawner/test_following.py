"""A session is followed until JupyterHub has noted its end, whatever goes wrong on the way."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from clusterhub.schedulers.model import Job, JobState, Snapshot
from clusterhub.spawner import following as following_module
from clusterhub.spawner.following import Following
from clusterhub.spawner.reach import Nodes

RUNNING = Job("7", JobState.RUNNING, nodes=("n1",))


class Spawner:
    """A stand-in for the spawner, its watch and its user: one job, and what JupyterHub was told."""

    endpoint, reach_interval, job_id, tag = "http://10.77.0.11:8888", 0.0, "7", "clusterhub:hub:alice:"
    pending = None
    _stop_pending = False
    log = logging.getLogger("test")

    def __init__(self, statuses: list[int | None]) -> None:
        self.statuses = statuses
        self.job_is_gone = True
        self.polls = 0
        self.waits = asyncio.Event()
        self.change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.snapshot = Snapshot(jobs={"7": RUNNING})
        self.watch = self
        self.clusters = SimpleNamespace(nodes=Nodes())
        self.user = SimpleNamespace(settings={"proxy": None})

    def job_changed(self, _: str) -> asyncio.Future[None]:
        if not self.job_is_gone:
            self.waits.set()
        return self.change

    async def poll_and_notify(self) -> int | None:
        assert self._stop_pending
        status = self.statuses[self.polls]
        self.polls += 1
        self.job_is_gone = status is not None or self.polls < 2
        return status


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "AGAIN", 0.001)


async def follow(spawner: Any) -> asyncio.Task[None]:
    following = Following(spawner)
    following.begin()
    assert following._task is not None
    return following._task


async def test_a_session_is_followed_until_its_end_is_noted() -> None:
    spawner = Spawner([0])
    await asyncio.wait_for(await follow(spawner), 10)
    assert spawner.polls == 1


async def test_a_session_that_is_not_over_after_all_is_followed_on() -> None:
    """Where one poll is the last, nobody notices from then on that it is suspended or out of reach."""
    spawner = Spawner([None, None, 0])
    task = await follow(spawner)
    await asyncio.wait_for(spawner.waits.wait(), 10)
    assert (spawner.polls, task.done()) == (2, False)
    spawner.job_is_gone = True
    spawner.change.set_result(None)
    await asyncio.wait_for(task, 10)
    assert spawner.polls == 3
