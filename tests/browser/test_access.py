"""Every page serves somebody without a mouse, on a telephone, and in the dark."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Picture
from tests.browser.person import Person
from tests.hub_fixture import LiveHub

NARROW = {"width": 360, "height": 740}

LEAST_CONTRAST = 4.5
"""Of text on its background (WCAG 2.2, 1.4.3)."""

LOW_CONTRAST = """
() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const curve = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const linear = [curve(r / 255), curve(g / 255), curve(b / 255)];
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const background = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = channels(getComputedStyle(each).backgroundColor);
      if (color.length < 4 || color[3] > 0.5) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    // JupyterHub's own orange: buttons, the bar above, the head of the login form.
    if (element.closest("script, .btn, nav, .auth-form-header")) continue;
    const one = luminance(channels(getComputedStyle(element).color));
    const other = luminance(background(element));
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    found.push([ratio, texts.currentNode.data.trim().slice(0, 60)]);
  }
  return found;
}
"""


def check(page: Page, picture: Picture, name: str) -> None:
    """On a narrow screen all of the page's text is in sight, and readable in the light and in the dark."""
    size = page.viewport_size
    page.set_viewport_size(NARROW)
    try:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
            picture(f"{name}-360-{scheme}")
            wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide[0] <= wide[1], f"{name} is {wide[0]} pixels wide on a screen of {wide[1]}"
            texts = page.evaluate(LOW_CONTRAST)
            assert texts
            assert [each for each in texts if each[0] < LEAST_CONTRAST] == [], f"{name}, {scheme}"
    finally:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(size)


def tab_to(page: Page, reached: Callable[[], bool]) -> None:
    """Presses Tab until the focus is there."""
    for _ in range(60):
        if reached():
            return
        page.keyboard.press("Tab")
    pytest.fail("the keyboard does not reach it")


def focused(page: Page, selector: str) -> Callable[[], bool]:
    """Whether the focus is on what the selector names."""
    return lambda: bool(page.evaluate("s => document.activeElement.matches(s)", selector))


def test_the_whole_way_goes_by_keyboard_alone_on_every_screen(
    page: Page, hub: LiveHub, picture: Picture
) -> None:
    person = Person(page, hub, "bob")
    keys = page.keyboard

    page.goto("/")
    tab_to(page, focused(page, "#username_input"))
    keys.type("bob")
    tab_to(page, focused(page, "#password_input"))
    keys.type("wrong")
    keys.press("Enter")
    expect(page.locator(".login_error")).to_be_visible()
    check(page, picture, "login")
    tab_to(page, focused(page, "#password_input"))
    keys.type(hub.cluster.people["bob"].password)
    keys.press("Enter")

    expect(page.get_by_role("heading", name="Start a session")).to_be_visible()
    check(page, picture, "start")
    tab_to(page, focused(page, "input[type=radio]"))
    for _ in range(20):
        if focused(page, "[value=held]")():
            break
        keys.press("ArrowDown")
    expect(page.get_by_role("radio", name="Held until released")).to_be_checked()
    tab_to(page, focused(page, "#start"))
    keys.press("Enter")

    expect(person.message).to_contain_text(re.compile(r"Job \d+ waits"))
    check(page, picture, "waiting")
    tab_to(page, focused(page, "#stop-server-btn"))
    hub.expect_cancel("bob")
    keys.press("Enter")
    page.wait_for_url("**/hub/home")
    assert hub.wait_for_no_job("bob", 5)

    person.start("A prologue that fails")
    expect(page.locator(".alert.alert-danger")).to_contain_text("prologue failed", timeout=30_000)
    check(page, picture, "failed")
    tab_to(page, focused(page, ".clusterhub-log"))
    tab_to(page, focused(page, "#choose"))
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Start a session")).to_be_visible()

    page.goto("/hub/user/bob/lab")
    check(page, picture, "not-running")


def test_a_session_is_stopped_from_the_home_page_by_keyboard_alone(
    alice: Person, hub: LiveHub, picture: Picture
) -> None:
    page = alice.page
    alice.start("Ten minutes at once")
    alice.await_lab()
    page.goto("/hub/home")
    check(page, picture, "home")
    tab_to(page, focused(page, "#ch-stop-default"))
    hub.expect_cancel("alice")
    page.keyboard.press("Enter")
    expect(page.locator("#ch-stop-default")).to_be_hidden()
    assert hub.wait_for_no_job("alice", 5)
