"""A cancel holds: it is tried until the scheduler confirms the job's end, also by the next hub."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterhub.schedulers.model import CommandResult, SchedulerError
from clusterhub.spawner import cancellations
from clusterhub.spawner.cancellations import Cancellations


class Cluster:
    """A stand-in for a cluster's scheduler, watch and broker; cancels fail as often as it is told."""

    grace = 30.0

    def __init__(self, failures: int = 0, error: type[Exception] = SchedulerError) -> None:
        self.failures = failures
        self.error = error
        self.cancelled: list[tuple[str, str]] = []
        self.tries: asyncio.Queue[None] = asyncio.Queue()
        self.over = asyncio.Event()
        self.site = SimpleNamespace(clusters={"main": None})
        self.scheduler = self.watch = self.broker = self
        self.audit = SimpleNamespace(note=lambda _event: None)

    def __getitem__(self, name: str) -> "Cluster":
        assert name == "main"
        return self

    def is_over(self, _: str) -> bool:
        return self.over.is_set()

    async def until_over(self, _: str, timeout: float) -> None:
        await asyncio.wait([asyncio.ensure_future(self.over.wait())], timeout=timeout)

    def cancellation(self, job_id: str) -> tuple[str, ...]:
        return ("scancel", job_id)

    async def cancel(self, person: str, argv: tuple[str, ...]) -> CommandResult:
        self.cancelled.append((person, argv[1]))
        self.tries.put_nowait(None)
        return CommandResult(len(self.cancelled), "", "")

    def parse_cancellation(self, result: CommandResult) -> None:
        if result.exit_code is not None and result.exit_code <= self.failures:
            raise self.error("the controller is away")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellations, "REFUSED_PAUSE", 0.001)


def follow(cluster: Any, path: Path) -> Cancellations:
    return Cancellations(cluster, path)


async def settled(following: Cancellations) -> None:
    await asyncio.gather(*following._tasks.values(), return_exceptions=True)
    await asyncio.sleep(0)  # what is to happen when a task is done happens then
    assert ("main", "17") not in following


async def test_a_cancel_that_was_taken_is_followed_to_the_jobs_end(tmp_path: Path) -> None:
    cluster, path = Cluster(), tmp_path / "cancellations.json"
    following = follow(cluster, path)
    await following.cancel("main", "alice", "17")
    assert ("main", "17") in following
    assert ("main", "18") not in following
    assert json.loads(path.read_text()) == [{"cluster": "main", "person": "alice", "job": "17"}]
    cluster.over.set()
    await settled(following)
    assert cluster.cancelled == [("alice", "17")]
    assert json.loads(path.read_text()) == []


@pytest.mark.parametrize("error", [SchedulerError, RuntimeError])
async def test_a_cancel_that_fails_is_tried_until_it_is_taken(tmp_path: Path, error: type[Exception]) -> None:
    """The latter stands for a mistake of ours: where it ends the task, the job is forgotten and goes on."""
    cluster = Cluster(failures=3, error=error)
    following = follow(cluster, tmp_path / "cancellations.json")
    await following.cancel("main", "alice", "17")
    [untaken] = following.not_taken("alice")
    assert (untaken.cluster, untaken.job) == ("main", "17")
    assert following.not_taken("bob") == ()
    for _ in range(4):
        await cluster.tries.get()
    assert following.not_taken("alice") == ()
    cluster.over.set()
    await settled(following)


async def test_the_next_hub_goes_on_with_it(tmp_path: Path) -> None:
    path = tmp_path / "cancellations.json"
    first = follow(Cluster(failures=10**6), path)
    await first.cancel("main", "alice", "17")
    for task in first._tasks.values():
        task.cancel()  # as a loop does that ends
    await settled(first)
    cluster = Cluster()
    second = follow(cluster, path)
    second.resume()
    assert ("main", "17") in second
    await cluster.tries.get()
    cluster.over.set()
    await settled(second)
    assert cluster.cancelled == [("alice", "17")]


async def test_a_hub_that_is_killed_as_it_takes_them_up_has_lost_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each is written down as it is taken up, the file has the first alone for a moment."""
    path = tmp_path / "cancellations.json"
    left = [{"cluster": "main", "person": "alice", "job": job} for job in ("17", "18")]
    path.write_text(json.dumps(left))
    following = follow(Cluster(failures=10**6), path)
    followed = following._follow

    def is_killed(doomed: cancellations.Doomed) -> asyncio.Event:
        tried = followed(doomed)
        assert json.loads(path.read_text()) == left
        return tried

    monkeypatch.setattr(following, "_follow", is_killed)
    following.resume()
    assert ("main", "18") in following
    for task in following._tasks.values():
        task.cancel()
    await settled(following)
    assert json.loads(path.read_text()) == left


async def test_a_file_that_cannot_be_read_does_not_keep_the_hub_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "cancellations.json"
    follow(Cluster(), path).resume()
    path.write_text('[{"cluster": "main"')
    follow(Cluster(), path).resume()


async def test_what_was_to_end_on_a_cluster_that_is_not_in_the_site_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "cancellations.json"
    elsewhere = {"cluster": "other", "person": "alice", "job": "9"}
    path.write_text(json.dumps([elsewhere]))
    cluster = Cluster()
    following = follow(cluster, path)
    following.resume()
    await following.cancel("main", "alice", "17")
    cluster.over.set()
    await settled(following)
    assert json.loads(path.read_text()) == [elsewhere]


async def test_a_full_disk_stops_no_cancel_and_what_was_kept_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fake of the disk: without the handling a person who presses Stop gets the error."""
    path = tmp_path / cancellations.FILE
    cluster = Cluster(failures=1)
    full = True

    def fsync(_: int) -> None:
        if full:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("clusterhub.spawner.cancellations.os.fsync", fsync)
    path.write_text("[]")
    cancelled = follow(cluster, path)
    await cancelled.cancel("main", "alice", "7")
    assert path.read_text() == "[]"
    full = False
    await asyncio.wait_for(cluster.tries.get(), 10)
    await asyncio.wait_for(cluster.tries.get(), 10)
    assert [each["job"] for each in json.loads(path.read_text())] == ["7"]
    cluster.over.set()
