"""Somebody whose account needs a code logs in by keyboard alone, on every screen."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from tests import pam_services
from tests.browser.conftest import Picture
from tests.browser.person import Person
from tests.browser.test_access import check, focused, tab_to
from tests.hub_fixture import LiveHub
from tests.hub_site import DIRECTORY


def test_a_code_is_asked_for_after_the_password_and_lets_in(
    page: Page, hub: LiveHub, picture: Picture
) -> None:
    with pam_services.person_with_codes(DIRECTORY) as name:
        Person(page, hub, name).log_in(pam_services.PASSWORD)
        code = page.get_by_label(pam_services.QUESTION)
        expect(code).to_be_focused()
        expect(page.get_by_text(f"Signing in as {name}")).to_be_visible()
        assert pam_services.PASSWORD not in page.content()
        check(page, picture, "login-code")
        tab_to(page, focused(page, "#answer0_input"))
        page.keyboard.type(pam_services.code(0))
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Start a session")).to_be_visible()


def test_wrong_passwords_make_one_wait_as_long_as_the_page_says(
    page: Page, hub: LiveHub, picture: Picture
) -> None:
    person = Person(page, hub, "nobody-of-that-name")
    for _ in range(4):
        person.log_in("wrong")
        expect(page.locator(".login_error")).to_be_visible()
    expect(page.locator(".login_error")).to_contain_text(re.compile(r"Try again in \d seconds?\."))
    check(page, picture, "login-wait")
