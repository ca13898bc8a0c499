"""The pages in the language of whoever looks: as the browser asks, or as the person chose.

Without `Speaking` (hub/speaking.py) every page is in English; without the cookie's path or the form's token
the choice is forgotten with the next page.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.conftest import SIZE
from tests.hub_fixture import LiveHub

pytestmark = pytest.mark.usefixtures("hub")


def test_a_person_is_spoken_to_in_their_language_without_javascript(browser: Browser, hub: LiveHub) -> None:
    context = browser.new_context(base_url=hub.url, viewport=SIZE, locale="fi-FI", java_script_enabled=False)
    page = context.new_page()
    page.goto("/hub/login")
    expect(page.locator("html")).to_have_attribute("lang", "fi")
    expect(page.get_by_role("heading", name="Kirjaudu sisään")).to_be_visible()

    page.get_by_role("button", name="Svenska").click()
    expect(page).to_have_url(re.compile("/hub/login"))
    expect(page.locator("html")).to_have_attribute("lang", "sv")
    page.get_by_label("Användarnamn").fill("alice")
    page.get_by_label("Lösenord").fill(hub.cluster.people["alice"].password)
    page.get_by_role("button", name="Logga in").click()
    expect(page.get_by_role("heading", name="Starta en session")).to_be_visible()
    expect(page.get_by_role("button", name="Logga ut")).to_be_visible()
    expect(page.get_by_role("button", name="Svenska")).to_have_attribute("aria-current", "true")

    page.get_by_role("button", name="Dansk").click()
    expect(page.get_by_role("heading", name="Start en session")).to_be_visible()
    page.goto("/hub/home")
    expect(page.locator("html")).to_have_attribute("lang", "da")
    context.close()
