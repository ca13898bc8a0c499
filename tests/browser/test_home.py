"""The home page shows what runs, and does with one click what people come for, with JavaScript or without.

Without `Ending.choice` a recent session has no button to start it again; without `_start_after` a restart is
a stop; with the former page's scripts the buttons do nothing where there is no JavaScript.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests import hub_site
from tests.browser.conftest import SIZE, Picture
from tests.browser.person import Person
from tests.browser.test_access import check
from tests.hub_fixture import LiveHub
from tests.real_cluster import processes

ANNOUNCEMENTS = hub_site.DIRECTORY / "announcements.toml"
TITLE = "Ten minutes at once"
COOLING = "The cooling of one room has failed: please save your work."


@pytest.fixture(scope="module")
def site_text(cluster: object) -> str:
    """Three servers for each person, and announcements that a test can write."""
    port = cluster.footprint().port  # type: ignore[attr-defined]
    site = hub_site.text(port).replace("[hub]\n", f'[hub]\nannouncements = "{ANNOUNCEMENTS}"\n', 1)
    return site.replace("[sessions]\n", "[sessions]\nper_person = 3\n", 1)


def widths(page: Page, picture: Picture, name: str) -> None:
    """Pictures at each width, in the light and in the dark."""
    check(page, picture, name)
    for width in (768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
            picture(f"{name}-{width}-{scheme}")
    page.emulate_media(color_scheme="light")


def reload_until(page: Page, condition: Callable[[], bool]) -> bool:
    """Whether it holds within a while, after loading the page anew."""

    def holds() -> bool:
        page.reload()
        return condition()

    return processes.wait_until(holds, 30, pause=0.5)


@pytest.fixture
def maintenance(hub: LiveHub) -> Iterator[None]:
    """The whole cluster is in maintenance from in three hours on."""
    made = hub.cluster.run(
        "gateway",
        [
            *("scontrol", "create", "reservation", "ReservationName=upgrade", "StartTime=now+3hours"),
            *("Duration=120", "Users=root", "Flags=maint,ignore_jobs", "Nodes=ALL"),
        ],
    )
    assert made.returncode == 0, made.stderr
    yield
    hub.cluster.run("gateway", ["scontrol", "delete", "ReservationName=upgrade"])
    ANNOUNCEMENTS.unlink(missing_ok=True)


@pytest.mark.usefixtures("maintenance")
def test_the_home_page_shows_a_session_and_does_what_its_buttons_say(
    alice: Person, hub: LiveHub, browser: Browser, picture: Picture
) -> None:
    page = alice.page
    expect(page.locator(".clusterhub-maintenance")).to_contain_text("Maintenance of cluster main (all nodes)")
    expect(page.locator(".clusterhub-maintenance")).to_contain_text("choose at most 2h5")
    alice.start(TITLE)
    alice.await_lab()
    [first] = hub.jobs("alice")

    page.goto("/hub/home")
    card = page.locator(".ch-card[data-server='']")
    expect(card).to_contain_text("Running")
    expect(card).to_contain_text(re.compile(r"n[12]"))
    expect(card).to_contain_text(re.compile(r"\d+min left, until"))
    expect(page.locator(".clusterhub-maintenance time").first).to_have_attribute(
        "datetime", re.compile(r"\+00:00$")
    )
    # what it uses comes by itself, from the node
    assert reload_until(page, lambda: card.get_by_role("progressbar", name="Memory").count() == 1)
    expect(card).to_contain_text(re.compile(r"[\d.]+ [MG]iB of "))
    expect(card).to_contain_text(re.compile(r"\d\.\d of \d+ busy"))

    ANNOUNCEMENTS.write_text(f'[[announcement]]\nlevel = "danger"\ntext = "{COOLING}"\n')
    ANNOUNCEMENTS.chmod(0o644)
    told = page.locator(".clusterhub-announcement")

    assert reload_until(page, lambda: told.count() == 1)
    expect(told).to_have_text(COOLING)
    widths(page, picture, "home-card")
    page.set_viewport_size(SIZE)  # type: ignore[arg-type]
    picture("home", "home-page")

    card.get_by_role("link", name="Log").click()
    expect(page.get_by_role("heading", name=f"Log of job {first}")).to_be_visible()
    expect(page.get_by_label("Log")).to_contain_text("clusterhub: environment ")
    page.get_by_role("link", name="Back").click()

    hub.expect_cancel("alice")
    card.get_by_role("button", name="Restart").click()

    def is_another() -> bool:
        jobs = hub.jobs("alice", "RUNNING")
        return len(jobs) == 1 and jobs != [first]

    assert processes.wait_until(is_another, 30, pause=0.2)
    # the page follows by itself
    expect(card).to_have_attribute("data-state", "running", timeout=60_000)
    expect(page.locator(".ch-recent")).to_contain_text("stopped through the hub")

    # the rest without JavaScript
    plain = browser.new_context(
        base_url=hub.url, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    try:
        goes_without_javascript(plain.new_page(), hub)
    finally:
        plain.close()


def goes_without_javascript(page: Page, hub: LiveHub) -> None:
    page.goto("/hub/home")
    hub.expect_cancel("alice")
    page.get_by_role("button", name="Stop my session").click()
    expect(page.get_by_role("link", name="Start my session")).to_be_visible()
    assert hub.wait_for_no_job("alice", 10)

    page.get_by_label("Its name").fill("Analysis of <b>")
    page.get_by_role("button", name="Choose what to start").click()
    expect(page.get_by_role("heading", name="Start a session")).to_be_visible()
    page.goto("/hub/home")
    further = page.locator(".ch-card", has_text="Analysis of <b>")
    expect(further).to_contain_text("Not running")
    further.get_by_role("button", name="Remove").click()
    expect(further).to_have_count(0)

    page.get_by_role("button", name=f"Start again {TITLE}").first.click()
    expect(page).to_have_url(re.compile(r"/hub/spawn-pending/alice|/user/alice/"))
    assert processes.wait_until(lambda: len(hub.jobs("alice")) == 1, 30, pause=0.2)
    hub.expect_cancel("alice")


def test_nobody_reads_anothers_log_or_another_file(alice: Person) -> None:
    page = alice.page
    for path in ("bob", "alice?job=../../etc/passwd", "alice/nowhere"):
        answer = page.goto(f"/hub/clusterhub/log/{path}")
        assert answer is not None
        assert answer.status == 404
    # A form of somebody else's page has no token: without tornado's check each of these would be done.
    for what in ("stop/alice", "restart/alice", "remove/alice/x", "message/alice", "read"):
        sent = page.request.post(f"/hub/clusterhub/{what}", form={"text": "x", "message": "x"})
        assert sent.status == 403, what
