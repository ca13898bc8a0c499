"""A browser, and where its pictures go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright
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
SIZE: ViewportSize = {"width": 1200, "height": 720}
WIDTHS = ((360, 740), (768, 900), (1440, 800))
"""Of the documentation's pictures, in CSS pixels; the last is the one without a width in its name."""

Picture = Callable[..., None]
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
def full_cluster(hub: LiveHub) -> Iterator[Callable[[], None]]:
    """Carol has every CPU that there is, for ten minutes; calling this ends her job."""
    argv = ["sbatch", "--parsable", "--nodes=2", "--exclusive", "--time=10", "--output=/dev/null"]
    asked = hub.cluster.run("gateway", [*argv, "--chdir=/", "--wrap=sleep 600"], "carol")
    assert asked.returncode == 0, asked.stderr
    job = asked.stdout.strip()
    hub.cluster.wait_for_job(job, "RUNNING")

    def make_room() -> None:
        hub.cancel(job, "carol")

    yield make_room
    make_room()
    hub.cluster.wait_for_job(job, "CANCELLED")


@pytest.fixture
def picture(page: Page, request: pytest.FixtureRequest) -> Picture:
    """Saves what the page looks like now, under this name.

    A picture that is published is taken on a telephone, a tablet and a desk as well, and there in the dark.
    """
    SCREENSHOTS.mkdir(exist_ok=True)

    def save(name: str, published_as: str = "", *, widths: bool = True) -> None:
        page.screenshot(path=SCREENSHOTS / f"{name}.png")
        directory = request.config.getoption("--pictures", None)
        if not published_as or not directory:
            return
        for width, height in WIDTHS if widths else WIDTHS[-1:]:
            page.set_viewport_size({"width": width, "height": height})
            suffix = "" if (width, height) == WIDTHS[-1] else f"-{width}"
            page.screenshot(path=Path(directory) / f"{published_as}{suffix}.png")
        if widths:
            page.emulate_media(color_scheme="dark", reduced_motion="reduce")
            expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
            page.screenshot(path=Path(directory) / f"{published_as}-dark.png")
            page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.set_viewport_size(SIZE)

    return save
