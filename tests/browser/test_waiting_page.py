"""The page of a session that waits: all that is known of it, again after a reload, and told when it is ready.

Without `History.events` a page without JavaScript says "Submitting your job." for ever. Without `Told.since`
what happened is said to have happened when the page was loaded. Without `StartLog` the log stays empty.
Without `Telling` nobody is told. With the position in `#progress-message` screen readers read it out again
and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests import hub_site
from tests.browser.conftest import SIZE, Picture
from tests.browser.person import Person
from tests.browser.test_access import check, focused, tab_to
from tests.hub_fixture import LiveHub
from tests.real_cluster import processes

NOBODY_LOOKS = """
Object.defineProperty(document, "hidden", { get: () => !window.somebodyLooks });
window.told = [];
window.Notification = class extends EventTarget {
  static permission = "granted";
  static asked = 0;
  static async requestPermission() { this.asked += 1; return this.permission; }
  constructor(title, options) { super(); window.told.push([title, options.body]); }
  close() {}
};
"""
"""A fake of what Chromium without a screen does not have: a tab in the background, and notifications."""

WIDTHS = (768, 1440)


@pytest.fixture
def page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.add_init_script(NOBODY_LOOKS)
    return page


@pytest.fixture
def context(browser: Browser, hub: LiveHub) -> Iterator[BrowserContext]:
    """A browser far east of the hub."""
    context = browser.new_context(
        base_url=hub.url, viewport=SIZE, reduced_motion="reduce", timezone_id="Asia/Tokyo", locale="en-GB"
    )
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def go_on() -> Iterator[Callable[[], None]]:
    """Calling this lets the prologue that waits go on."""
    hub_site.GO_ON.unlink(missing_ok=True)
    yield hub_site.GO_ON.touch
    hub_site.GO_ON.unlink(missing_ok=True)


def pictures(page: Page, picture: Picture, name: str) -> None:
    """On every screen, in the light and in the dark."""
    check(page, picture, name)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            picture(f"{name}-{width}-{scheme}")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(SIZE)


@pytest.mark.usefixtures("full_cluster")
def test_what_is_known_of_a_wait_is_on_the_page_again_and_again(
    bob: Person, hub: LiveHub, browser: Browser, picture: Picture
) -> None:
    page = bob.page
    bob.start("Interactive, up to 8 cores")
    expect(bob.message).to_contain_text(re.compile(r"Job \d+ waits: .*\((Resources|Priority)\)"))
    expect(page.locator("#clusterhub-position-words")).to_contain_text("ahead of it in partition interactive")
    expect(bob.message).not_to_contain_text("ahead of it")
    expected = page.locator("#clusterhub-expected-words time")
    expect(expected).to_have_text(re.compile(r"^\d\d:\d\d$"), timeout=40_000)
    assert expected.evaluate("time => new Date(time.dateTime) > new Date()")
    in_tokyo = "time => new Intl.DateTimeFormat('en-GB', {timeStyle: 'short', timeZone: 'Asia/Tokyo'})"
    assert expected.inner_text() == expected.evaluate(f"{in_tokyo}.format(new Date(time.dateTime))")
    expect(page.locator("#clusterhub-expected-words")).to_contain_text(re.compile(r"\(in \d+ minutes?\)"))

    elapsed = page.locator("#clusterhub-elapsed")
    expect(elapsed).to_have_text(re.compile(r"0:\d[1-9]"))
    assert elapsed.evaluate("each => each.closest('[aria-live], [role=status], [role=timer]')") is None
    pictures(page, picture, "waiting-queue")

    first = page.locator("#progress-log li").first
    before = first.inner_text()
    minutes, seconds = elapsed.inner_text().split(":")
    page.reload()
    expect(page.locator("#clusterhub-position")).to_be_visible()
    assert page.title() == "Your session is starting"
    told = page.locator("#clusterhub-session").get_attribute("data-elapsed") or ""
    assert float(told) >= 60 * int(minutes) + int(seconds)
    assert first.inner_text() == before

    plain = browser.new_context(
        base_url=hub.url, java_script_enabled=False, storage_state=page.context.storage_state(), viewport=SIZE
    )
    try:
        still = plain.new_page()
        still.goto(page.url)
        expect(still.locator("#progress-message")).to_contain_text(re.compile(r"Job \d+ waits: "))
        expect(still.locator("#clusterhub-position")).to_contain_text("ahead of it")
        assert still.locator("noscript meta[http-equiv=refresh]").get_attribute("content") == "10"
        expect(still.locator("#clusterhub-tell")).to_be_hidden()
        still.get_by_role("button", name="Stop").click()
        expect(still.get_by_role("heading", name="Stop this session?")).to_be_visible()
        assert len(hub.jobs("bob")) == 1
        picture("stop-page")
        still.get_by_role("link", name="Leave it as it is").click()
        expect(still).to_have_url(re.compile("/hub/spawn-pending/bob"))
        still.get_by_role("button", name="Stop").click()
        hub.expect_cancel("bob")
        still.get_by_role("button", name="Stop it").click()
        expect(still).to_have_url(re.compile("/hub/home"))
        assert hub.wait_for_no_job("bob", 10)
    finally:
        plain.close()


def test_the_log_comes_while_it_starts_and_who_looks_elsewhere_is_told_that_it_is_ready(
    bob: Person, hub: LiveHub, picture: Picture, go_on: Callable[[], None]
) -> None:
    page = bob.page
    bob.start("With a prologue that waits")
    expect(bob.message).to_contain_text(re.compile(r"runs on n[12]"))
    expect(page.locator("#clusterhub-position")).to_be_hidden()
    log = page.locator("#clusterhub-log")
    expect(log).to_have_text("waiting for a licence", timeout=20_000)
    pictures(page, picture, "waiting-starts")

    tell = page.get_by_role("button", name="Tell me when it is ready")
    assert page.evaluate("Notification.asked") == 0
    tab_to(page, focused(page, "#clusterhub-tell"))
    page.keyboard.press("Enter")
    expect(tell).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(tell).to_have_attribute("aria-pressed", "true")
    expect(log).to_have_text("waiting for a licence")
    go_on()
    expect(page).to_have_title("Your session is ready", timeout=60_000)
    assert page.evaluate("window.told") == [["Your session is ready", "It opens in its tab."]]
    expect(page).to_have_url(re.compile("/hub/spawn-pending/bob"))
    page.evaluate("window.somebodyLooks = true; document.dispatchEvent(new Event('visibilitychange'))")
    bob.await_lab()
    hub.expect_cancel("bob")
    bob.stop()


def test_who_visits_a_suspended_session_reads_so_and_is_taken_to_it_or_to_its_end(
    bob: Person, hub: LiveHub, picture: Picture
) -> None:
    page = bob.page
    page.evaluate("window.somebodyLooks = true")
    bob.start("Ten minutes at once")
    bob.await_lab()
    [job] = hub.jobs("bob")

    def scontrol(verb: str) -> None:
        done = hub.cluster.run("gateway", ["scontrol", verb, job])
        assert done.returncode == 0, done.stderr

    def is_away() -> bool:
        return not hub.servers("bob")[""]["ready"]

    def visit_while_suspended() -> None:
        scontrol("suspend")
        assert processes.wait_until(is_away, 30, pause=0.2)
        page.goto("about:blank")  # a browser has six connections to a host, and JupyterLab's wait for answers
        page.goto("/hub/spawn-pending/bob")
        expect(page.get_by_role("heading", name="Your session is suspended")).to_be_visible()

    visit_while_suspended()
    expect(page.locator("#clusterhub-elapsed")).to_be_hidden()
    pictures(page, picture, "suspended")
    scontrol("resume")
    bob.await_lab()

    visit_while_suspended()
    hub.cancel(job, "bob")
    ended = page.get_by_role("heading", name="Your session has ended")
    expect(ended).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Start again with the same choice")).to_be_visible(timeout=30_000)
    expect(page.locator(".alert")).to_contain_text("was cancelled by you")
    expect(page.locator("#mend")).to_be_hidden()
    pictures(page, picture, "ended")
