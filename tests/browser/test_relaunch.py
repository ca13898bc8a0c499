"""The page that explains an ending starts again with the same choice: by a click, and by nothing else.

Without `clusterhub.hub.relaunch.hidden_fields` the page leads to the form, where everything has to be chosen
anew; with a link in place of the form's button, looking at the page's links would start sessions. Without
`clusterhub.hub.relaunch.offer` nothing is mended.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect
from tests.browser.conftest import Picture
from tests.browser.person import Person
from tests.browser.test_access import check, focused, tab_to
from tests.browser.test_waiting_page import pictures
from tests.hub_fixture import LiveHub
from tests.real_cluster import processes

AGAIN = "Start again with the same choice"


def chosen(hub: LiveHub, job: str) -> list[str]:
    """What a job asked for: cores, memory, minutes."""
    asked = hub.cluster.run("gateway", ["squeue", "-h", "-t", "all", "-o", "%C %m %l", "-j", job])
    return asked.stdout.split()


def only_job(hub: LiveHub, but: str = "") -> str:
    """Bob's one job that is not this one."""
    found: list[str] = []

    def is_there() -> bool:
        found[:] = [job for job in hub.jobs("bob") if job != but]
        return len(found) == 1

    assert processes.wait_until(is_there, 30, pause=0.1), found
    return found[0]


# Its jobs wait, and are cancelled so: one that runs serves within a second, and has then not failed to start.
@pytest.mark.usefixtures("full_cluster")
def test_an_ended_session_is_started_again_as_it_was(
    bob: Person, hub: LiveHub, browser: Browser, picture: Picture
) -> None:
    page = bob.page
    bob.choose("Interactive, up to 8 cores")
    page.locator("[name='interactive:cpus']").fill("2")
    page.locator("[name='interactive:memory']").fill("3 GiB")
    page.locator("[name='interactive:time']").fill("90min")
    page.get_by_role("button", name="Start", exact=True).click()
    first = only_job(hub)
    assert chosen(hub, first) == ["2", "3G", "1:30:00"]
    hub.cancel(first, "bob")

    # on the waiting page, by keyboard
    expect(page.locator(".alert.alert-danger")).to_contain_text("was cancelled", timeout=30_000)
    check(page, picture, "relaunch-failed")
    tab_to(page, focused(page, "#start"))
    page.keyboard.press("Enter")
    second = only_job(hub, but=first)
    assert chosen(hub, second) == chosen(hub, first)
    hub.cancel(second, "bob")
    expect(page.locator(".alert.alert-danger")).to_contain_text("was cancelled", timeout=30_000)

    # on the page of a server that does not run; to look at it starts nothing
    page.goto("/hub/user/bob/lab")
    expect(page.get_by_role("heading", name="Your session did not start")).to_be_visible()
    check(page, picture, "relaunch-not-running")
    assert page.get_by_role("button", name=AGAIN).evaluate("button => button.form.method") == "post"
    page.get_by_role("link", name="Choose differently").click()
    expect(page.get_by_role("heading", name="Start a session")).to_be_visible()
    expect(page.get_by_role("radio", name="Interactive, up to 8 cores")).to_be_checked()
    expect(page.locator("[name='interactive:cpus']")).to_have_value("2")
    assert hub.jobs("bob") == []

    # without JavaScript
    plain = browser.new_context(
        base_url=hub.url, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    try:
        still = plain.new_page()
        still.goto("/hub/user/bob/lab")
        still.get_by_role("button", name=AGAIN).click()
        expect(still).to_have_url(re.compile(r"/hub/spawn-pending/bob|/user/bob/"))
        third = only_job(hub)
        assert chosen(hub, third) == chosen(hub, first)
        hub.cancel(third, "bob")
        assert hub.wait_for_no_job("bob", 10)
    finally:
        plain.close()


def test_what_went_wrong_is_mended_with_one_click(bob: Person, hub: LiveHub, picture: Picture) -> None:
    page = bob.page
    bob.start("A partition that does not exist")
    refused = page.locator(".alert.alert-danger")
    expect(refused).to_contain_text("invalid partition specified")
    elsewhere = page.get_by_role("button", name="Start again as “Interactive, up to 8 cores”")
    expect(elsewhere).to_be_visible()
    check(page, picture, "mend-refused")
    elsewhere.click()
    first = only_job(hub)
    assert chosen(hub, first) == ["1", "1G", "30:00"]

    # A server that is short of memory is killed, if not by the node then by somebody else.
    hub.cluster.wait_for_job(first, "RUNNING")
    hub.wanted_cancels.add(first)
    killed = hub.cluster.run("gateway", ["scancel", "--signal=KILL", "--batch", first])
    assert killed.returncode == 0, killed.stderr
    more = page.get_by_role("button", name="Start again with 2 GiB memory instead of 1 GiB")
    expect(more).to_be_visible(timeout=30_000)
    expect(page.get_by_role("heading", name="Your session did not start")).to_be_focused()
    expect(page.locator("#progress-log")).to_contain_text(f"Job {first} runs on")
    expect(page.get_by_role("button", name=AGAIN)).to_be_visible()
    pictures(page, picture, "mend-failed")
    tab_to(page, focused(page, "#mend"))
    page.keyboard.press("Enter")
    second = only_job(hub, but=first)
    assert chosen(hub, second) == ["1", "2G", "30:00"]
    hub.cancel(second, "bob")
    expect(page.locator(".alert.alert-danger")).to_contain_text("was cancelled", timeout=30_000)
    expect(page.locator("#mend")).to_be_hidden()
