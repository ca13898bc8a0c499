"""The home page's cards say in words what is known, and nothing that is not.

With `still_told` out of use a figure would be shown long after its session fell silent; without the look at
``is_maintenance`` every reservation of a course would be announced as maintenance.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.site.examples import small_site

from clusterhub.errors import Explanation
from clusterhub.hub.home import HEADINGS, Card, card_of, past_of, rough_size
from clusterhub.hub.maintenance import told_of
from clusterhub.schedulers.capacity import Node, Partition, Reservation, Survey
from clusterhub.schedulers.model import Job, JobState, Snapshot
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.site.loading import parse
from clusterhub.site.profile import Profile
from clusterhub.site.schema import Site
from clusterhub.spawner.ending_store import Ending, Recent
from clusterhub.spawner.session_state import STATES, session_state
from clusterhub.spawner.usage import STALE, Used, still_told

GIB = 2**30
LIMITS = """\

cpus = { default = 1, max = 4 }
memory = { default = "1 GiB", max = "3 GiB" }
gpus = { default = 0, max = 2, type = "h200" }
time = { default = "1h", max = "8h" }
"""
CHOICE = {"profile": "small", "cpus": 2, "memory": 2 * GIB, "gpus": 1, "time": 3600, "interface": "lab"}
RUNNING = Job("17", JobState.RUNNING, nodes=("n1",), partition="debug", started_at=1000.0, ends_at=4600.0)


@pytest.fixture
def site() -> Site:
    return slurm_site(LIMITS)


def slurm_site(profile: str) -> Site:
    text = small_site(profile=profile).replace('"local"', '"slurm"').replace('"one-person"', '"pam"')
    return parse(text, Path("/etc/clusterhub/site.toml"))


def card(site: Site, job: Job | None = RUNNING, used: Used | None = None, **keywords: Any) -> Card:
    state = session_state(
        cluster="main",
        profile="small",
        job_id="17",
        serves=True,
        scheduler=SlurmScheduler(),
        snapshot=Snapshot(1900.0, {"17": job} if job else {}),
        now=1900.0,
        used=used,
    )
    keywords = {"name": "", "pending": None, "user_options": CHOICE, "absence": None, **keywords}
    spawner = SimpleNamespace(
        **keywords,
        orm_spawner=SimpleNamespace(name=keywords["name"], display_name="Mine"),
        following=SimpleNamespace(absence=keywords["absence"]),
    )
    return card_of(site, spawner, state)


def test_a_running_session_says_where_with_what_and_for_how_long(site: Site) -> None:
    shown = card(site, used=Used(GIB // 2, 1.26, 1890.0))
    assert (shown.heading, shown.profile, shown.nodes) == ("Running", "Small", ("n1",))
    assert shown.resources == ("2 cores", "2 GiB", "one GPU (h200)", "1h")
    assert shown.time is not None
    assert (shown.time.value, shown.time.of, shown.time.words) == (2700.0, 3600.0, "45min left")
    assert shown.memory is not None
    assert (shown.memory.of, shown.memory.words) == (2 * GIB, "512 MiB of 2 GiB")
    assert shown.cpu is not None
    assert shown.cpu.words == "1.3 of 2 busy"
    assert shown.can_be_opened


def test_memory_per_core_is_that_of_all_cores() -> None:
    site = slurm_site(LIMITS.replace('"3 GiB" }', '"3 GiB", per = "cpu" }'))
    shown = card(site, used=Used(GIB, 0.0, 1890.0))
    assert shown.memory is not None
    assert shown.memory.of == 4 * GIB
    assert "2 GiB per core" in shown.resources


@pytest.mark.parametrize(
    ("job", "keywords", "state"),
    [
        (RUNNING, {"pending": "stop"}, "stopping"),
        (RUNNING, {"absence": SimpleNamespace(words="Its node is away.")}, "away"),
        (replace(RUNNING, state=JobState.SUSPENDED), {}, "suspended"),
        (replace(RUNNING, state=JobState.QUEUED), {}, "queued"),
        (None, {}, "unknown"),
    ],
)
def test_what_cannot_be_opened_has_no_time_that_runs(
    site: Site, job: Job | None, keywords: dict[str, Any], state: str
) -> None:
    shown = card(site, job, **keywords)
    assert shown.state == state
    assert not shown.can_be_opened
    assert shown.time is None or state == "away"


def test_hostile_or_old_options_are_no_resources(site: Site) -> None:
    assert card(site, user_options=None).resources == ()
    assert card(site, user_options={"cpus": ["2"], "memory": "x", "time": -5}).resources == ()
    assert set(STATES) <= set(HEADINGS)


def test_what_was_said_long_ago_is_not_shown() -> None:
    used = Used(1, 1.0, 1000.0)
    assert still_told(used, 1000.0 + STALE) is used
    assert still_told(used, 1001.0 + STALE) is None
    assert still_told(None, 0.0) is None


@pytest.mark.parametrize(
    ("size", "words"),
    [
        *((0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (1.5 * GIB, "1.5 GiB"), (2 * GIB, "2 GiB")),
        *((12.4 * GIB, "12 GiB"), (1000 * GIB, "1.0 TiB"), (2**60, "1024 PiB")),
    ],
)
def test_sizes_are_said_as_people_say_them(size: float, words: str) -> None:
    assert rough_size(size) == words.replace("1.0", "1") or rough_size(size) == words


def test_a_session_that_ended_can_be_started_again_if_its_profile_is_still_there(site: Site) -> None:
    ending = Ending(Explanation("It ended."), "small", 5.0, "17", choice=CHOICE)
    past = past_of(site, Recent("x", ending))
    assert (past.profile, past.what) == ("Small", "It ended.")
    assert ("small:cpus", "2") in past.again
    gone = replace(ending, profile="gone", choice={**CHOICE, "profile": "gone"})
    assert past_of(site, Recent("x", gone)).again == ()
    assert past_of(site, Recent("x", replace(ending, choice={}))).again == ()


def profile(**keys: object) -> Profile:
    return Profile.model_validate({"name": "a", "title": "A", "partition": "p", **keys})


def survey(*reservations: Reservation) -> Survey:
    nodes = tuple(Node(name, frozenset({"p"})) for name in ("n1", "n2"))
    others = (Node("n3", frozenset({"other"})),)
    partitions = {"p": Partition("p", is_default=True), "other": Partition("other")}
    return Survey(0.0, nodes + others, partitions, reservations)


HOUR = 3600.0
ALL = Reservation("up", frozenset({"n1", "n2", "n3"}), 3 * HOUR + 60, 5 * HOUR, is_maintenance=True)


def test_maintenance_says_how_long_a_session_may_be_to_start_before() -> None:
    profiles = [profile(time="2h"), profile(name="b", title="B", time="8h")]
    [told] = told_of(survey(ALL), "main", profiles, 0.0)
    assert (told.nodes, told.is_whole, told.has_begun) == ("all nodes", True, False)
    assert (told.longest, told.too_long) == ("3h", ("B",))
    [now] = told_of(survey(ALL), "main", profiles, 4 * HOUR)
    assert now.has_begun


@pytest.mark.parametrize(
    "reservation",
    [
        replace(ALL, is_maintenance=False),
        replace(ALL, nodes=frozenset({"n3"})),
        replace(ALL, begins_at=100 * 86400.0, ends_at=101 * 86400.0),
        replace(ALL, begins_at=-20.0, ends_at=-10.0),
    ],
)
def test_what_does_not_touch_a_person_soon_is_not_told(reservation: Reservation) -> None:
    assert list(told_of(survey(reservation), "main", [profile(time="8h")], 0.0)) == []
    assert list(told_of(survey(ALL), "main", [], 0.0)) == []


def test_where_nodes_are_left_nobody_has_to_wait() -> None:
    [told] = told_of(survey(replace(ALL, nodes=frozenset({"n1"}))), "main", [profile(time="8h")], 0.0)
    assert (told.nodes, told.is_whole, told.too_long) == ("1 of 2 nodes", False, ())
