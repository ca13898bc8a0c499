"""The admin page of an operator offers what the hub does for operators, and that works.

Without the styles of `admin.html`, it has buttons that each end in an error.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import Page, expect
from tests.browser.conftest import Picture
from tests.browser.person import Person
from tests.hub_fixture import LiveHub
from tests.hub_site import OPERATORS, group

from clusterhub.hub.walkthrough import Walk

WITHHELD = (
    *("Start Server", "Start All", "Spawn Page", "Access Server"),
    *("Edit User", "Add Users", "Manage Groups", "Shutdown Hub"),
)


async def start(hub: LiveHub, name: str) -> None:
    async with Walk.begin(hub.url, name) as walk:
        await walk.log_in(hub.cluster.people[name].password)
        await walk.start({"profile": "debug"})


def test_an_operator_stops_a_session_on_the_admin_page(page: Page, hub: LiveHub, picture: Picture) -> None:
    with ThreadPoolExecutor() as thread:  # the browser occupies the loop of this one
        thread.submit(asyncio.run, start(hub, "alice")).result()
    with group(OPERATORS, "bob"):
        Person(page, hub, "bob").log_in(hub.cluster.people["bob"].password)
        page.get_by_role("link", name="Admin").click()
        stop = page.get_by_role("button", name="Stop Server")
        expect(stop).to_have_count(1)
        expect(page.get_by_role("button", name="Stop All")).to_be_visible()
        picture("operator")
        for name in WITHHELD:
            for button in page.get_by_role("button", name=name, include_hidden=True).all():
                expect(button).to_be_hidden()
        hub.expect_cancel("alice")
        stop.click()
        expect(stop).to_have_count(0)
        assert hub.wait_for_no_job("alice")
