"""A person's way in a browser: log in, start, wait, work on a node, stop."""

from __future__ import annotations

import pwd
import re
from collections.abc import Callable

from playwright.sync_api import expect
from tests.browser.conftest import Picture
from tests.browser.person import Person
from tests.hub_fixture import LiveHub

CELL = "import os, socket; print(socket.gethostname(), os.getuid())"


def test_alice_logs_in_waits_works_on_a_node_and_stops(
    alice: Person, hub: LiveHub, full_cluster: Callable[[], None], picture: Picture
) -> None:
    page = alice.page
    expect(page.get_by_role("heading", name="Start a session")).to_be_visible()
    expect(page.locator(".ch-free").first).to_contain_text(re.compile(r"\d+ of 32 cores free"))
    alice.choose("Interactive, up to 8 cores")
    picture("start-page", "start-page")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(alice.message).to_contain_text(re.compile(r"Job \d+ waits: .*\((Resources|Priority)\)"))
    [job] = hub.jobs("alice")
    assert hub.comment(job) == "clusterhub:under-test:alice:"
    picture("waiting-page", "waiting-page")
    full_cluster()
    expect(page.locator("#progress-log")).to_contain_text(re.compile(rf"Job {job} runs on n[12]"))
    picture("started")
    alice.await_lab()
    picture("jupyterlab")
    page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
    output = alice.run_cell(CELL)
    expect(output).to_have_text(re.compile(rf"n[12] {pwd.getpwnam('alice').pw_uid}\s*"))
    picture("cell", "lab", widths=False)
    assert hub.jobs("alice") == [job]
    alice.stop()
    picture("stopped")
    assert hub.wait_for_no_job("alice", 5)
