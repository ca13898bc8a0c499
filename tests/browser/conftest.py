"""A browser, and where its pictures go."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.browser.person import Person
from tests.hub_fixture import LiveHub
from tests.real_cluster.layout import REPOSITORY

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENSHOTS = REPOSITORY / "tests" / "screenshots"
SIZE = {"width": 1200, "height": 720}

Picture = Callable[[str], None]
NewPage = Callable[..., Page]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--pictures``."""
    parser.addoption("--pictures", metavar="DIRECTORY", help="also put the documentation's pictures there")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with an empty profile. Not longer than a file: it occupies the thread's event loop."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"not installed: {CHROMIUM} (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, hub: LiveHub) -> Iterator[BrowserContext]:
    """A browser without cookies in front of the hub."""
    context = browser.new_context(base_url=hub.url, viewport=SIZE, reduced_motion="reduce")
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty page."""
    return context.new_page()


@pytest.fixture
def alice(page: Page, hub: LiveHub) -> Iterator[Person]:
    """Alice, logged in, in front of the start page, with an empty home directory."""
    person = Person(page, hub, "alice")
    clear(hub.cluster.people["alice"].home)
    person.log_in(hub.cluster.people["alice"].password)
    yield person
    clear(hub.cluster.people["alice"].home)


def clear(home: Path) -> None:
    """Removes what tests have left in a home directory."""
    for pattern in ("*.log", "Untitled*"):
        for path in home.glob(pattern):
            path.unlink()


@pytest.fixture
def bob(page: Page, hub: LiveHub) -> Person:
    """Bob, logged in, in front of the start page. He may use the profiles with which something goes wrong."""
    person = Person(page, hub, "bob")
    person.log_in(hub.cluster.people["bob"].password)
    return person


@pytest.fixture
def picture(page: Page, request: pytest.FixtureRequest) -> Picture:
    """Saves what the page looks like now, under this name."""
    SCREENSHOTS.mkdir(exist_ok=True)

    def save(name: str, published_as: str = "") -> None:
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path)
        directory = request.config.getoption("--pictures", None)
        if published_as and directory:
            shutil.copyfile(path, Path(directory) / f"{published_as}.png")

    return save
