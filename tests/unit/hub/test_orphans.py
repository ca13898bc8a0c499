"""Jobs that no server owns: found by queue and database, ended as the person whose they are."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from jupyterhub import orm

from clusterhub.errors import ClusterhubError
from clusterhub.hub import orphans as orphans_module
from clusterhub.hub.orphans import (
    Orphan,
    Server,
    database_url,
    engine_name,
    orphans,
    servers_of,
    table,
    unowned,
)
from clusterhub.schedulers.model import CommandResult, Job, JobState, SchedulerError
from clusterhub.site.loading import parse
from clusterhub.site.schema import Site
from clusterhub.spawner.cancellations import FILE as CANCELLATIONS
from clusterhub.spawner.tags import Tag, parse_tag


def job(
    number: str, tag: str = "clusterhub:hub:alice:", state: JobState = JobState.RUNNING, **more: Any
) -> Job:
    return Job(number, state, tag=tag, **{"person": "alice", "submitted_at": 1_900_000_000.0, **more})


def found(number: str = "17", tag: str = "clusterhub:hub:alice:") -> Orphan:
    parsed = parse_tag(tag)
    assert parsed is not None
    return Orphan("main", parsed, job(number, tag))


@pytest.mark.parametrize(
    ("server", "owned"),
    [
        (None, False),
        (Server("main", "17", starts=True), True),
        (Server("main", "17", starts=False), True),
        (Server("main", "18", starts=True), False),  # two jobs of one tag: one is too many
        (Server("other", "17", starts=True), False),
        (Server("", "", starts=True), True),  # a start that has not heard its job's id yet
        (Server("", "", starts=False), False),
    ],
)
def test_a_job_is_owned_by_the_server_that_has_it_or_starts(server: Server | None, owned: bool) -> None:
    servers = {("alice", ""): server} if server is not None else {}
    assert (unowned([found()], servers) == []) is owned
    assert unowned([found(tag="clusterhub:hub:bob:")], servers)


def test_a_job_that_the_hub_is_ending_is_no_orphan() -> None:
    assert unowned([found()], {}, frozenset([("main", "17")])) == []
    assert unowned([found()], {}, frozenset([("other", "17")])) != []


def test_a_table_is_no_wider_than_a_terminal() -> None:
    rows = [("cluster", "job", "server"), ("main", "1" * 60, "s" * 60)]
    lines = table(rows)
    assert max(len(line) for line in lines) <= 80
    assert "~" in lines[1]
    assert table([("a", "b"), ("cc", "")]) == ["a   b", "cc"]


def test_a_database_is_looked_at_where_the_hub_has_it_and_never_made(tmp_path: Path) -> None:
    (tmp_path / "hub.sqlite").touch()
    expected = f"sqlite:///{tmp_path}/hub.sqlite"
    assert database_url("hub.sqlite", tmp_path) == expected
    assert database_url("sqlite:///hub.sqlite", tmp_path) == expected
    assert database_url(expected, Path("/elsewhere")) == expected
    assert database_url("postgresql://hub:secret@db/hub", tmp_path) == "postgresql://hub:secret@db/hub"
    assert engine_name("postgresql://hub:secret@db/hub") == "postgresql://db/hub"
    with pytest.raises(ClusterhubError, match="No such file"):
        database_url("sqlite:///missing.sqlite", tmp_path)
    assert not (tmp_path / "missing.sqlite").exists()


class Queue:
    """A stand-in for a scheduler: what its queue holds, and what was cancelled."""

    acting = ()
    environment: dict[str, str] = {}  # noqa: RUF012 - as in `clusterhub.schedulers.base.Scheduler`
    look_environment: dict[str, str] = {}  # noqa: RUF012 - as above

    def __init__(self, *jobs: Job) -> None:
        self.jobs = {each.id: each for each in jobs}
        self.looks = 0
        self.away = False

    def programs(self, _: object = None) -> dict[str, tuple[str, ...]]:
        return {"true": ("/bin/true",)}

    def queue(self) -> tuple[str, ...]:
        return ("true",)

    def parse_queue(self, _: CommandResult) -> dict[str, Job]:
        self.looks += 1
        if self.away:
            raise SchedulerError("The controller is away.")
        return self.jobs

    def cancellation(self, job_id: str) -> tuple[str, ...]:
        return ("cancel", job_id)

    def parse_cancellation(self, result: CommandResult) -> None:
        if result.exit_code:
            raise SchedulerError("The cancel was not taken.")


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue = Queue()
    monkeypatch.setattr(orphans_module, "scheduler_for", lambda _: queue)
    monkeypatch.setattr(orphans_module, "PAUSE", 0)
    return queue


@pytest.fixture
def site(tmp_path: Path) -> Site:
    state = tmp_path / "state"
    state.mkdir()
    text = f"""
[hub]
url = "http://127.0.0.1:8000"
id = "hub"
state_directory = "{state}"
[cluster.main]
scheduler = "slurm"
[environment]
path = "/opt/environments/current"
[[profile]]
name = "small"
title = "Small"
time = "1h"
"""
    session = orm.new_session_factory(f"sqlite:///{state}/jupyterhub.sqlite")()
    alice = orm.User(name="alice")
    session.add(alice)
    session.commit()
    session.add(orm.Spawner(name="", user_id=alice.id, state={"job": "17", "cluster": "main"}))
    session.add(orm.Spawner(name="starts", user_id=alice.id, server=orm.Server()))
    session.add(orm.Spawner(name="stopped", user_id=alice.id, state={}))
    session.commit()
    session.close()
    session.get_bind().dispose()
    return parse(text, tmp_path / "site.toml")


class Said:
    """What was printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []

    def __call__(self, line: str, *, err: bool = False) -> None:
        (self.errors if err else self.lines).append(line)


def test_servers_are_read_from_the_hubs_database(site: Site) -> None:
    assert servers_of(site) == {
        ("alice", ""): Server("main", "17", starts=False),
        ("alice", "starts"): Server("", "", starts=True),
        ("alice", "stopped"): Server("", "", starts=False),
    }


def test_nothing_found_is_said(site: Site, queue: Queue) -> None:
    said = Said()
    queue.jobs = {
        "17": job("17"),
        "20": job("20", "clusterhub:hub:alice:starts"),
        "21": job("21", "clusterhub:hub:alice:x", JobState.ENDED),
        "22": job("22", "clusterhub:another:alice:x"),
        "23": job("23", "clusterhub:hub:alice:x", person="mallory"),
        "24": job("24", "no tag"),
    }
    assert orphans(site, end=False, say=said) == 0
    assert said.lines == ["There is no job of this hub that none of its servers owns."]
    assert queue.looks == 1


def test_orphans_are_listed_after_one_look(site: Site, queue: Queue) -> None:
    said = Said()
    queue.jobs = {"17": job("17"), "18": job("18", "clusterhub:hub:alice:stopped", JobState.QUEUED)}
    assert orphans(site, end=False, say=said) == 0
    assert [line.split()[:5] for line in said.lines] == [
        ["cluster", "job", "person", "server", "state"],
        ["main", "18", "alice", "stopped", "queued"],
    ]
    assert queue.looks == 1
    (site.hub.state_directory / CANCELLATIONS).write_text(
        '[{"cluster": "main", "person": "alice", "job": "18"}]'
    )
    said = Said()
    assert orphans(site, end=False, say=said) == 0
    assert "no job of this hub" in said.lines[0]


def test_those_that_are_too_young_are_left_alone(site: Site, queue: Queue) -> None:
    now = time.time()
    queue.jobs = {
        "18": job("18", "clusterhub:hub:alice:stopped", submitted_at=now - 7200),
        "19": job("19", "clusterhub:hub:alice:stopped", submitted_at=now - 60),
        "20": job("20", "clusterhub:hub:alice:stopped", submitted_at=None),
    }
    said = Said()
    assert orphans(site, end=False, say=said, older_than=3600) == 0
    assert [line.split()[1] for line in said.lines] == ["job", "18"]
    said = Said()
    assert orphans(site, end=False, say=said, older_than=86400) == 0
    assert said.lines == [
        "There is no job of this hub that none of its servers owns and that is older than 1d."
    ]


def test_a_start_that_is_noted_meanwhile_is_no_orphan(
    site: Site, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([{}, {("alice", "x"): Server("main", "18", starts=True)}])
    monkeypatch.setattr(orphans_module, "servers_of", lambda _: next(answers))
    queue.jobs = {"18": job("18", "clusterhub:hub:alice:x")}
    said = Said()
    assert orphans(site, end=True, say=said) == 0
    assert "no job of this hub" in said.lines[0]


def test_a_scheduler_that_is_away_is_not_one_without_orphans(site: Site, queue: Queue) -> None:
    queue.away = True
    said = Said()
    assert orphans(site, end=True, say=said) == 1
    assert (said.lines, len(said.errors)) == ([], 1)


@pytest.mark.parametrize(("exit_code", "status"), [(0, 0), (1, 1)])
def test_orphans_are_ended_as_the_person(
    site: Site, queue: Queue, monkeypatch: pytest.MonkeyPatch, exit_code: int, status: int
) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    class OurClusters:
        schedulers: Mapping[str, Queue] = MappingProxyType({"main": queue})

        @property
        def broker(self) -> "OurClusters":
            return self

        async def cancel(self, person: str, argv: tuple[str, ...]) -> CommandResult:
            asked.append((person, argv))
            return CommandResult(exit_code, "", "")

    monkeypatch.setattr(orphans_module, "clusters_for_a_command", lambda _: nullcontext(OurClusters()))
    queue.jobs = {"18": job("18", "clusterhub:hub:alice:stopped")}
    said = Said()
    assert orphans(site, end=True, say=said) == status
    assert asked == [("alice", ("cancel", "18"))]
    assert ("Cancelled job 18 of alice on main." in said.lines) is (status == 0)
    assert len(said.errors) == status


def test_a_tag_says_whose_a_job_is() -> None:
    assert found().tag == Tag("hub", "alice", "")
