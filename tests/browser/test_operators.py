"""What operators see and do: the table of all sessions, and the admin page without what the hub refuses them.

Without the styles of `admin.html`, that page has buttons that each end in an error; without `_message` in
hub/audited.py nobody could tell later who had sent a message.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import Browser, Page, expect
from tests import hub_site
from tests.browser.conftest import SIZE, Picture
from tests.browser.person import Person
from tests.browser.test_home import widths
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


def test_an_operator_looks_after_sessions_in_one_table(
    page: Page, hub: LiveHub, browser: Browser, picture: Picture
) -> None:
    with ThreadPoolExecutor() as thread:  # the browser occupies the loop of this one
        for name in ("alice", "bob"):
            thread.submit(asyncio.run, start(hub, name)).result()
    with group(OPERATORS, "bob"):
        Person(page, hub, "bob").log_in(hub.cluster.people["bob"].password)
        page.wait_for_url("**/user/bob/**")
        page.goto("/hub/home")
        page.get_by_role("link", name="Sessions").click()
        rows = page.locator("#clusterhub-sessions tbody tr")
        expect(rows).to_have_count(2)
        for words in ("alice", "Running", "· main · debug", "1 GiB"):
            expect(rows.first).to_contain_text(words)
        widths(page, picture, "operators")
        page.set_viewport_size(SIZE)  # type: ignore[arg-type]
        picture("operators-table", "operators-table")

        head = page.get_by_role("columnheader", name="Person")
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", "descending")
        expect(rows.first).to_contain_text("bob")
        page.get_by_label("Show only").fill("alice")
        expect(rows).to_have_count(1)
        expect(page.get_by_text("1 of 2 sessions")).to_be_visible()

        rows.get_by_role("link", name="Message").click()
        page.get_by_label("Text of the message").fill("Please save: <b>n1</b> goes down.")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("The message was sent to alice.")).to_be_visible()
        hub.expect_cancel("alice")
        rows.filter(has_text="alice").get_by_role("link", name="Stop").click()
        page.get_by_role("button", name="Stop it").click()
        page.wait_for_url("**/clusterhub/sessions")
        expect(rows).to_have_count(1, timeout=15_000)
        said = [
            json.loads(line) for line in (hub_site.STATE_DIRECTORY / "audit.jsonl").read_text().splitlines()
        ]
        by_bob = {(each["event"], each["person"], each["outcome"]) for each in said if each["who"] == "bob"}
        assert {("message sent", "alice", "done"), ("stop asked", "alice", "done")} <= by_bob
        assert "goes down" not in str(said)

        sorts_without_javascript(page, browser, hub)
        admin_page(page, hub, picture)

    person_reads(browser, hub)


def person_reads(browser: Browser, hub: LiveHub) -> None:
    """What the person is told of it, and that the table is not for them."""
    reader = browser.new_context(base_url=hub.url, viewport=SIZE)  # type: ignore[arg-type]
    try:
        theirs = Person(reader.new_page(), hub, "alice")
        theirs.log_in(hub.cluster.people["alice"].password)
        theirs.page.goto("/hub/home")
        expect(theirs.page.locator(".ch-message")).to_contain_text("Please save: <b>n1</b> goes down.")
        expect(theirs.page.locator(".ch-recent")).to_contain_text("An operator stopped your session.")
        theirs.page.get_by_role("button", name="I have read it").click()
        expect(theirs.page.locator(".ch-message")).to_have_count(0)
        answer = theirs.page.goto("/hub/clusterhub/sessions")
        assert answer is not None
        assert answer.status == 403
    finally:
        reader.close()


def admin_page(page: Page, hub: LiveHub, picture: Picture) -> None:
    """JupyterHub's own page, of which an operator sees what works."""
    page.get_by_role("link", name="Admin").click()
    stop = page.get_by_role("button", name="Stop Server")
    expect(stop).to_have_count(1)
    expect(page.get_by_role("button", name="Stop All")).to_be_visible()
    picture("operator")
    for name in WITHHELD:
        for button in page.get_by_role("button", name=name, include_hidden=True).all():
            expect(button).to_be_hidden()
    hub.expect_cancel("bob")
    stop.click()
    expect(stop).to_have_count(0)
    assert hub.wait_for_no_job("bob")


def sorts_without_javascript(page: Page, browser: Browser, hub: LiveHub) -> None:
    plain = browser.new_context(
        base_url=hub.url, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    still = plain.new_page()
    still.goto("/hub/clusterhub/sessions?show=nobody")
    expect(still.locator("tbody tr")).to_have_count(0)
    still.get_by_label("Show only").fill("bob")
    still.get_by_role("button", name="Memory").click()
    expect(still.get_by_role("columnheader", name="Memory")).to_have_attribute("aria-sort", "ascending")
    expect(still.locator("tbody tr")).to_have_count(1)
    plain.close()
