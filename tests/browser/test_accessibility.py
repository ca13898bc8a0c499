"""No page keeps anybody out: axe-core on each, in light and dark, and the whole way by the keyboard alone.

axe-core (https://github.com/dequelabs/axe-core) finds what a program can find: contrast, names, roles, order
of headings. A button without a name, or a colour of less contrast, on any page fails the first test, as
JupyterHub's white on orange did; a control that the keyboard does not reach the second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from tests import pam_services
from tests.browser.conftest import SIZE
from tests.browser.person import Person
from tests.hub_fixture import LiveHub
from tests.hub_site import DIRECTORY, OPERATORS, group

GRAVE = ("serious", "critical")
NOT_OURS = "#react-admin-hook"
"""JupyterHub's page for administrators is an application of its own."""


@pytest.fixture
def looked_into(browser: Browser, hub: LiveHub) -> Iterator[Page]:
    """A page into which axe-core may be put, which the hub's policy would keep out."""
    context = browser.new_context(base_url=hub.url, viewport=SIZE, reduced_motion="reduce", bypass_csp=True)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def complaints(page: Page, name: str) -> list[str]:
    """What is grave about the page as it is, in light and in dark."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        answer = Axe().run(page, context={"exclude": [[NOT_OURS]]}).response
        for violation in answer["violations"]:
            if violation["impact"] in GRAVE:
                where = "; ".join(
                    f"{node['html'][:160]} ({node['failureSummary'][:200]})"
                    for node in violation["nodes"][:3]
                )
                found.append(f"{name}, {scheme}: {violation['id']}: {where}")
    return found


def test_axe_finds_nothing_serious_on_any_page(looked_into: Page, hub: LiveHub) -> None:
    page, found = looked_into, []
    bob = Person(page, hub, "bob")

    def look(name: str) -> None:
        found.extend(complaints(page, name))

    page.goto("/hub/login")
    look("login")
    bob.log_in("wrong")
    expect(page.locator(".login_error")).to_be_visible()
    look("refused login")
    with group(OPERATORS, "bob"):
        bob.log_in(hub.cluster.people["bob"].password)
        expect(page.get_by_role("radio").first).to_be_visible()
        look("start")
        page.goto("/hub/spawn?cpus=nonsense")
        look("link with a refused choice")
        bob.start("An account that does not exist")
        expect(page.locator(".alert-danger").first).to_be_visible()
        look("refused start")
        while_it_waits(bob, look)
        after_it_failed(bob, look)
        while_it_runs(bob, look)
        for address in ("/hub/token", "/hub/admin", "/hub/nowhere", "/hub/clusterhub/error/503"):
            page.goto(address)
            look(address)
        page.goto("/hub/logout")
        look("logged out")
    with pam_services.person_with_codes(DIRECTORY) as name:
        Person(page, hub, name).log_in(pam_services.PASSWORD)
        expect(page.get_by_label(pam_services.QUESTION)).to_be_visible()
        look("a code is asked for")
    assert not found, "\n".join(found)


def while_it_waits(bob: Person, look: Callable[[str], None]) -> None:
    page = bob.page
    bob.start("Held until released")
    expect(bob.message).to_contain_text("held", timeout=30_000)
    look("waiting")
    page.goto("/hub/home")
    look("home, a session waits")
    for address in ("sessions", "message/bob", "stop/bob"):
        page.goto(f"/hub/clusterhub/{address}")
        look(address)
    page.goto("/hub/spawn-pending/bob")
    bob.hub.expect_cancel("bob")
    page.locator("#stop-server-btn").click()
    page.wait_for_url(re.compile("/hub/home"))


def after_it_failed(bob: Person, look: Callable[[str], None]) -> None:
    page = bob.page
    page.goto("/user/bob/lab")
    look("not running")
    bob.start("A prologue that fails")
    expect(page.locator(".alert-danger").first).to_contain_text("prologue", timeout=30_000)
    look("failed")
    page.goto("/hub/home")
    look("home, a session failed")
    page.get_by_role("link", name=re.compile("^Log")).first.click()
    expect(page.locator(".clusterhub-whole-log")).to_be_visible()
    look("log")


def while_it_runs(bob: Person, look: Callable[[str], None]) -> None:
    page = bob.page
    bob.start("Ten minutes at once")
    bob.await_lab()
    page.goto("/hub/home")
    expect(page.get_by_role("button", name="Restart")).to_be_visible()
    look("home, a session runs")
    bob.hub.expect_cancel("bob")
    page.goto("/hub/clusterhub/stop/bob")
    page.get_by_role("button", name="Stop it").click()
    page.wait_for_url(re.compile("/hub/home"))


def test_a_session_is_started_and_stopped_with_keys_only(page: Page, hub: LiveHub) -> None:
    page.goto("/hub/login")
    press(page, "#username_input")
    page.keyboard.type("bob")
    press(page, "#password_input")
    page.keyboard.type(hub.cluster.people["bob"].password)
    page.keyboard.press("Enter")
    press(page, "input[type=radio][name=profile]")
    for _ in range(60):
        if page.locator("input[name=profile]:checked").get_attribute("value") == "held":
            break
        page.keyboard.press("ArrowDown")
    press(page, "#start")
    page.keyboard.press("Enter")
    expect(page.locator("#progress-message")).to_contain_text("held", timeout=30_000)
    hub.expect_cancel("bob")
    press(page, "#stop-server-btn")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/hub/home"))
    assert hub.wait_for_no_job("bob")


def press(page: Page, selector: str) -> None:
    """Presses Tab until that has the focus, which is to be seen."""
    expect(page.locator(selector).first).to_be_visible()
    for _ in range(60):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the keyboard does not reach {selector}")
