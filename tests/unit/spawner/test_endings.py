"""Endings are remembered once for each job, whoever asks first, and said better as more is known."""

import asyncio
import logging
import os
import pwd
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.schedulers.model import Job, JobState, Outcome, Snapshot
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.site.schema import Site
from clusterhub.spawner import endings as endings_module
from clusterhub.spawner.ending_store import FILE, EndingStore
from clusterhub.spawner.endings import Endings, Session, canceller
from clusterhub.spawner.tags import Tag

TAG = Tag("hub", "alice", "")
SESSION = Session(TAG, "main", "interactive", "17", {"memory": 4 * 2**30, "time": 7200})
ENDED = Job(
    "17",
    JobState.ENDED,
    nodes=("n1",),
    outcome=Outcome.CANCELLED,
    started_at=time.time() - 60,
    ends_at=time.time(),
)


class Cluster:
    """A stand-in for a site's clusters: one job, one log."""

    def __init__(self, site: Site, job: Job) -> None:
        self.site = site
        self.job = job
        self.logs_read = 0
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.swapped: asyncio.Queue[None] = asyncio.Queue()
        self.snapshot = Snapshot()
        self.watch = self.scheduler = self.broker = self
        self.audit = SimpleNamespace(note=lambda _event: None)

    def __getitem__(self, _: str) -> "Cluster":
        return self

    def tag(self, person: str, server: str) -> Tag:
        return Tag("hub", person, server)

    def ending(self, _: str) -> Job:
        return self.job

    operators = SlurmScheduler.operators

    def accounting(self, _: list[str]) -> tuple[str, ...]:
        return ("sacct",)

    def is_settled(self, _: str) -> bool:
        return self.job.cancelled_by is not None

    async def changed(self, _: Snapshot) -> None:
        await self.swapped.get()

    async def read_log(self, _: str, name: str, __: int) -> str:
        assert name == "default-17.log"
        self.logs_read += 1
        await self.may_read.wait()
        return "the last line\n"


@pytest.fixture
def cluster(site: Site) -> Cluster:
    return Cluster(site, ENDED)


def kept_by(cluster: Any, directory: Path) -> Endings:
    return Endings(cluster, directory / FILE)


async def until(true: Callable[[], bool]) -> None:
    """The writing is a thread's: there is nothing of it to await here."""

    async def poll() -> None:
        while True:
            if true():
                return
            await asyncio.sleep(0.005)

    await asyncio.wait_for(poll(), 10)


async def test_an_ending_is_known_to_the_next_hub(cluster: Cluster, tmp_path: Path) -> None:
    explanation = await kept_by(cluster, tmp_path).remember(SESSION, served=True)
    assert explanation.where == "job 17 on n1, profile Interactive"
    following = kept_by(cluster, tmp_path)
    last = following.last(TAG)
    assert last is not None
    assert (last.explanation, last.job, last.outcome) == (explanation, "17", Outcome.CANCELLED)
    assert last.ended_at == ENDED.ends_at
    assert following.on_page("alice", "") == last
    assert following.on_page("alice", "other") is None


async def test_whoever_asks_first_and_is_cancelled_does_not_keep_it_from_being_remembered(
    cluster: Cluster, tmp_path: Path
) -> None:
    endings = kept_by(cluster, tmp_path)
    cluster.may_read.clear()
    first = asyncio.create_task(endings.remember(SESSION, served=True))
    await until(lambda: cluster.logs_read == 1)
    first.cancel()
    second = asyncio.create_task(endings.remember(SESSION, served=True))
    cluster.may_read.set()
    explanation = await second
    assert cluster.logs_read == 1
    assert (last := endings.last(TAG)) is not None
    assert last.explanation == explanation


async def test_a_mistake_of_ours_keeps_no_session_from_ending(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def canceller(*_: object) -> str:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(endings_module, "canceller", canceller)
    explanation = await kept_by(cluster, tmp_path).remember(SESSION, served=True)
    assert "cannot be told" in explanation.what


async def test_it_is_said_better_when_accounting_has_answered(cluster: Cluster, tmp_path: Path) -> None:
    endings = kept_by(cluster, tmp_path)
    assert (await endings.remember(SESSION, served=True)).what == "Your session's job was cancelled."
    cluster.job = replace(ENDED, cancelled_by=0)
    cluster.swapped.put_nowait(None)
    store = EndingStore(tmp_path / FILE)
    await until(
        lambda: "by an operator" in getattr(store.last(str(TAG)), "explanation", Explanation("")).what
    )


async def test_memory_is_said_with_what_was_asked_and_seen(cluster: Cluster, tmp_path: Path) -> None:
    cluster.job = replace(ENDED, outcome=Outcome.OUT_OF_MEMORY, peak_memory=5 * 2**30)
    explanation = await kept_by(cluster, tmp_path).remember(SESSION, served=True)
    assert "more memory than the 4 GiB that it had asked for" in explanation.what
    assert "5.0 GiB" in explanation.what


async def test_a_profile_that_is_gone_keeps_no_ending_from_being_told(
    cluster: Cluster, tmp_path: Path
) -> None:
    explanation = await kept_by(cluster, tmp_path).remember(replace(SESSION, profile="gone"), served=True)
    assert explanation.where == "job 17 on n1"


async def test_the_page_is_silent_once_a_new_session_has_begun(cluster: Cluster, tmp_path: Path) -> None:
    endings = kept_by(cluster, tmp_path)
    await endings.remember(SESSION, served=True)
    await endings.begin(TAG)
    assert endings.on_page("alice", "") is None
    assert endings.last(TAG) is not None


async def test_a_stop_is_known_and_not_shown_and_hides_no_failure(cluster: Cluster, tmp_path: Path) -> None:
    endings = kept_by(cluster, tmp_path)
    await endings.remember_failure(replace(SESSION, job="16"), ClusterhubError("It took too long."))
    await endings.remember_stop(replace(SESSION, job="16"))  # JupyterHub stops what did not start
    assert (page := endings.on_page("alice", "")) is not None
    assert page.explanation.what == "It took too long."
    assert not page.served
    await endings.remember_stop(SESSION)
    assert endings.on_page("alice", "") is None
    assert (last := endings.last(TAG)) is not None
    assert last.explanation.what == "The session was stopped through the hub."


async def test_without_room_for_it_this_hub_still_knows(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = tmp_path / "away"
    endings = kept_by(cluster, missing)
    with caplog.at_level(logging.WARNING):
        await endings.remember(SESSION, served=True)
    assert "not kept" in caplog.text
    assert endings.on_page("alice", "") is not None
    missing.mkdir()
    await endings.remember_failure(replace(SESSION, tag=Tag("hub", "bob", "")), ClusterhubError("No."))
    assert kept_by(cluster, missing).last(TAG) is not None  # written with the next one


@pytest.mark.parametrize(
    ("uid", "by"),
    [
        (0, "an operator"),
        (4000000, "uid 4000000"),
        (os.getuid(), "you"),
        (99999999999999999999, "uid 99999999999999999999"),
        (None, ""),
    ],
)
def test_who_cancelled_is_said_by_name(uid: int | None, by: str) -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    assert canceller(uid, me if by == "you" else "alice", ("root",)) == by


def test_the_schedulers_own_account_is_an_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    def account(_: int) -> Any:
        return pwd.struct_passwd(("slurm", "x", 64030, 64030, "", "/", "/bin/false"))

    monkeypatch.setattr(endings_module.pwd, "getpwuid", account)
    assert canceller(64030, "alice", SlurmScheduler.operators) == "an operator"
