"""Who cannot log in, and what cannot be started, is told why on the page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Picture
from tests.browser.person import Person
from tests.hub_fixture import LiveHub
from tests.hub_site import DIRECTORY

SECONDS = 5.0
"""From the moment at which the scheduler knows of a failure until the person's page names its cause."""

RESOLUTION = 1.0
"""The controller tells the end of a job in whole seconds, rounded down."""


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("alice", "User name or password is wrong"), ("carol", "Your account may not log in here")],
)
def test_who_is_refused_reads_why_above_the_form(
    page: Page, hub: LiveHub, picture: Picture, name: str, sentence: str
) -> None:
    Person(page, hub, name).log_in("wrong" if name == "alice" else hub.cluster.people[name].password)
    expect(page.locator(".login_error")).to_contain_text(sentence)
    expect(page.get_by_label("Username")).to_have_value(name)
    picture(f"refused-{name}", "login-page" if name == "alice" else "")


RecordProperty = Callable[[str, object], None]


@dataclass(frozen=True)
class Fault:
    """A profile with which something goes wrong, and what the page says of it."""

    profile: str
    what: str
    line: str


REFUSED_BY_SBATCH = (
    Fault("A partition that does not exist", "invalid partition specified", "nowhere"),
    Fault("An account that does not exist", "Invalid account", "sacctmgr show assoc"),
)

DIES = (
    Fault(
        "An environment that is missing",
        "The Jupyter environment is missing on the node",
        f"there is no Python that you can run at {DIRECTORY}/missing/bin/python3",
    ),
    Fault(
        "An environment that is not open",
        "or you may not read it",
        f"there is no Python that you can run at {DIRECTORY}/closed/bin/python3",
    ),
    Fault(
        "An environment without Jupyter",
        "The environment on the node has no working Jupyter in it",
        "No module named 'jupyter_core'",
    ),
    Fault(
        "An environment that dies at once",
        "Your session ended with exit code 3",
        "libsomething.so.6: cannot open shared object file",
    ),
    Fault("A prologue that fails", "The profile's prologue failed", "the licence server is away"),
)


@pytest.mark.parametrize("fault", REFUSED_BY_SBATCH, ids=lambda fault: fault.profile)
def test_a_refusal_of_sbatch_is_on_the_page_with_what_to_do(
    bob: Person, picture: Picture, record_property: RecordProperty, fault: Fault
) -> None:
    bob.choose(fault.profile)
    begin = time.time()
    bob.page.get_by_role("button", name="Start", exact=True).click()
    shown = bob.page.locator(".alert.alert-danger")
    expect(shown).to_contain_text(fault.what)
    seconds = time.time() - begin
    expect(shown).to_contain_text(fault.line)
    picture(f"refused-{fault.profile}")
    record_property("seconds", seconds)
    assert seconds < SECONDS
    assert bob.hub.jobs("bob") == []


@pytest.mark.parametrize("fault", DIES, ids=lambda fault: fault.profile)
def test_a_job_that_dies_is_explained_on_the_page_with_the_last_lines_of_its_log(
    bob: Person, picture: Picture, record_property: RecordProperty, fault: Fault
) -> None:
    bob.start(fault.profile)
    shown = bob.page.locator(".alert.alert-danger")
    expect(shown).to_contain_text(fault.what, timeout=30_000)
    now = time.time()
    expect(shown.locator(".clusterhub-log")).to_contain_text(fault.line)
    picture(f"failed-{fault.profile}", "failed-page" if fault is DIES[-1] else "")
    where = shown.locator(".clusterhub-where").inner_text()
    seconds = now - bob.hub.end_of(re.findall(r"job (\d+) on n[12]", where)[0])
    record_property("seconds", seconds)
    assert seconds < SECONDS + RESOLUTION
    assert bob.hub.wait_for_no_job("bob", 5)
