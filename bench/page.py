"""What the start page weighs and how soon it can be used, with many profiles, in Chromium."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser.conftest import ARGUMENTS, CHROMIUM

from _crowd import CrowdedHub, crowded_cluster
from _run import Run, say, timings
from _systems import Batchspawner, Clusterhub, ensure_batchspawner

ABOUT = "weight of the start page and time until it can be used: clusterhub, batchspawner with a plain form"
NEEDS_DEBIAN_PACKAGES = True
PERSON = "alice"
INTERACTIVE = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000"
"""Seconds from the beginning of the navigation until the page's scripts, modules too, have run: from then on
each control does what it is there for."""


class BatchspawnerWithForm(Batchspawner):
    """With a list of the same profiles, which batchspawner itself does not have."""

    @property
    def configuration(self) -> str:
        """See `CrowdedHub.configuration`."""
        options = "".join(f'<option value="{name}">{name}</option>' for name in self.environments)
        form = f'<label for="profile">Profile</label><select id="profile" name="profile">{options}</select>'
        return super().configuration + f"c.Spawner.options_form = {form!r}\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many profiles, how often."""
    parser.add_argument("--profiles", type=int, default=40, help="on the page (default: 40)")
    parser.add_argument("--runs", type=int, default=10, help="of each, after a first (default: 10)")


def measure(arguments: argparse.Namespace) -> list[Run]:
    """Runs with ``profiles``, ``kilobytes`` (of 1,000, as sent), ``requests`` and ``median_s``.

    Each time the browser's cache is empty and its person has logged in. Clusterhub's say which share they are
    of the other's.
    """
    ensure_batchspawner()
    runs = []
    with crowded_cluster() as cluster:
        environments = {f"profile-{number}": cluster.environment_path for number in range(arguments.profiles)}
        password = cluster.people[PERSON].password
        for system in (BatchspawnerWithForm, Clusterhub):
            crowd = system(cluster, "jupyterlab", environments=environments)
            crowd.start()
            try:
                say(f"{crowd.system}: {arguments.runs} times")
                looks = _looks(crowd, password, arguments.runs)
            finally:
                crowd.stop()
            run = timings(crowd.system, [look["seconds"] for look in looks], profiles=arguments.profiles)
            for key in ("kilobytes", "requests"):
                run[key] = round(statistics.median(look[key] for look in looks), 1)
            runs.append(run)
    beside, ours = runs
    for key in ("median_s", "kilobytes"):
        ours[f"{key.removesuffix('_s')}_of_batchspawner"] = round(ours[key] / beside[key], 3)
    return runs


def _looks(crowd: CrowdedHub, password: str, count: int) -> list[Mapping[str, float]]:
    """After a first one that is not counted, in which the hub fills its own caches."""
    looks = []
    with _chromium() as browser:
        for number in range(count + 1):
            look = _look(browser, crowd.url, password)
            if number:
                looks.append(look)
    return looks


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


def _look(browser: Browser, url: str, password: str) -> Mapping[str, float]:
    """One view of the start page by a browser that has seen nothing of the hub's but the login page."""
    context = browser.new_context(base_url=url)
    try:
        page = context.new_page()
        page.goto("/hub/login?next=%2Fhub%2Fhome")
        page.locator("#username_input").fill(PERSON)
        page.locator("#password_input").fill(password)
        page.locator("#login_submit").click()
        page.wait_for_url("**/hub/home")
        return _weigh(page, f"/hub/spawn/{PERSON}")
    finally:
        context.close()


def _weigh(page: Page, address: str) -> Mapping[str, float]:
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.clearBrowserCache")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sent: list[float] = []

    def note(finished: Mapping[str, Any]) -> None:
        sent.append(finished["encodedDataLength"])

    devtools.on("Network.loadingFinished", note)
    page.goto(address, wait_until="networkidle")
    page.locator("[type=submit]").first.wait_for()
    return {
        "seconds": float(page.evaluate(INTERACTIVE)),
        "kilobytes": sum(sent) / 1000,
        "requests": len(sent),
    }
