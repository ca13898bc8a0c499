"""What a person does in the browser, and reads there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect
from tests.hub_fixture import LiveHub

START_SECONDS = 60
"""Within which a session serves, on a machine that is busy."""


@dataclass
class Person:
    """Somebody in front of a page of the hub."""

    page: Page
    hub: LiveHub
    name: str

    def log_in(self, password: str) -> None:
        """Types name and password, and presses the button."""
        self.page.goto("/")
        self.page.get_by_label("Username").fill(self.name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def choose(self, title: str) -> None:
        """Picks a profile on the start page."""
        if "/hub/spawn" not in self.page.url:
            self.page.goto(f"/hub/spawn/{self.name}")
        self.page.get_by_role("radio", name=title).check()

    def start(self, title: str) -> None:
        """Picks a profile and presses Start."""
        self.choose(title)
        self.page.get_by_role("button", name="Start", exact=True).click()

    @property
    def message(self) -> Locator:
        """The sentence of the waiting page."""
        return self.page.locator("#progress-message")

    def await_lab(self) -> None:
        """Returns when JupyterLab is there, with its launcher."""
        self.page.wait_for_url(re.compile(rf"/user/{self.name}/lab"), timeout=START_SECONDS * 1000)
        expect(self.page.locator(".jp-LauncherCard").first).to_be_visible(timeout=START_SECONDS * 1000)

    def run_cell(self, code: str) -> Locator:
        """Types code into the first cell of the notebook that is open, runs it, and returns its output."""
        page = self.page
        cell = page.locator(".jp-Notebook .jp-Cell .cm-content").first
        # Lab drops what is run before the kernel is connected; only the status bar tells.
        expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=30_000)
        cell.click()
        page.keyboard.type(code)
        expect(cell).to_have_text(code)
        page.keyboard.press("Shift+Enter")
        return page.locator(".jp-Notebook .jp-OutputArea-output").first

    def stop(self) -> None:
        """Presses Stop on the home page, and waits until it is done."""
        self.page.goto("/hub/home")
        self.hub.expect_cancel(self.name, "")
        self.page.get_by_role("button", name=re.compile("Stop my session")).click()
        expect(self.page.get_by_role("button", name=re.compile("Stop my session"))).to_be_hidden()
