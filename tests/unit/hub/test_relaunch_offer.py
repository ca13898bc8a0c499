"""What mends an ending is offered to the person whose choice it was, as the fields of the start page's form.

Without the look at the profile of the ending, a change for another choice is offered; without the parser one
that is refused.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.site.small_sites import site_with

from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.hub.form import choice_from_form
from clusterhub.hub.relaunch import offer, server_of
from clusterhub.schedulers.model import Outcome
from clusterhub.site.schema import Site
from clusterhub.spawner.ending_store import Ending
from clusterhub.spawner.options import parse_choice

PROFILES = """
[[profile]]
name = "small"
memory = { default = "4 GiB", max = "4 GiB" }
time = { default = "1h", max = "8h" }

[[profile]]
name = "large"
allow = ["@large"]
memory = { default = "8 GiB", max = "64 GiB" }
time = { default = "1h", max = "8h" }
"""


@pytest.fixture
def site() -> Site:
    return site_with(PROFILES)


class Hub:
    """A stand-in for a site's clusters, of which nothing is known: one person, one ending."""

    def __init__(self, site: Site, ending: Ending | None, groups: tuple[str, ...] = ("large",)) -> None:
        self.site = site
        self.ending = ending
        self.groups = groups
        self.endings = SimpleNamespace(on_page=lambda _person, _server: self.ending)
        self.broker = self.watch = self.surveying = self.accounts = self

    async def account(self, name: str, *, max_age: float) -> Any:
        assert max_age > 0
        if self.groups == ("unknown",):
            raise ClusterhubError("There is no such account.")
        return SimpleNamespace(name=name, groups=self.groups)

    def at_rest(self, _name: str) -> Hub:
        return self

    async def survey(self, _patience: float, _good_for: float = 0.0) -> None:
        return None

    associations = survey


def ended(remedy: str, profile: str = "small") -> Ending:
    return Ending(Explanation("It ended."), profile, time.time(), "17", Outcome.FAILED, remedy=remedy)


def user(**options: object) -> Any:
    found = SimpleNamespace(user_options={"profile": "small", **options})
    return SimpleNamespace(name="alice", orm_user=SimpleNamespace(orm_spawners={"": found}))


async def test_it_comes_as_the_form_would_send_it(site: Site) -> None:
    offered = await offer(Hub(site, ended("more memory")), user(), "")  # type: ignore[arg-type]  # a stand-in
    assert offered is not None
    assert offered.sentence == "Start again as “large”, with 8 GiB memory instead of 4 GiB"
    form = {name: [value] for name, value in offered.fields}
    choice = parse_choice(choice_from_form(form), site, "alice", ("large",))
    assert (choice.profile, choice.memory) == ("large", 8 * 2**30)


@pytest.mark.parametrize(
    ("ending", "groups"),
    [
        (None, ("large",)),
        (ended(""), ("large",)),
        (ended("more memory"), ()),
        (ended("more memory"), ("unknown",)),
        (ended("more memory", profile="large"), ("large",)),
        (ended("something of a later version"), ("large",)),
    ],
)
async def test_else_nothing_is_offered(site: Site, ending: Ending | None, groups: tuple[str, ...]) -> None:
    assert await offer(Hub(site, ending, groups), user(), "") is None  # type: ignore[arg-type]  # a stand-in


async def test_nothing_is_offered_for_a_choice_that_cannot_be_read_any_more(site: Site) -> None:
    hub = Hub(site, ended("more memory"))
    assert await offer(hub, user(memory="9 GiB"), "") is None  # type: ignore[arg-type]  # a stand-in
    assert await offer(hub, user(), "never") is None  # type: ignore[arg-type]  # a stand-in


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("/hub/spawn/alice/second?_xsrf=x", "second"),
        ("/prefix/hub/spawn/alice/a%20b", "a b"),
        ("/hub/spawn/alice", ""),
        ("/hub/spawn?next=/hub/spawn/x/y", ""),
        ("/hub/home", ""),
    ],
)
def test_the_server_is_read_from_the_start_page_s_address(url: str, server: str) -> None:
    assert server_of(url) == server
