"""What a person may work in besides JupyterLab; and changing one's mind."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests import applications
from tests.browser.conftest import SCREENSHOTS, Picture
from tests.browser.person import START_SECONDS, Person
from tests.hub_fixture import LiveHub
from tests.hub_site import APPLICATIONS
from tests.real_cluster import processes
from tests.real_cluster.layout import SHARED


def choose_interface(
    person: Person, title: str, *, profile: str = "debug", card: str = "Ten minutes at once"
) -> None:
    """Starts a small session with that interface."""
    person.choose(card)
    person.page.locator(f"[name='{profile}:interface']").select_option(title)
    person.page.get_by_role("button", name="Start", exact=True).click()


def test_notebook_7_opens_a_notebook_that_runs_on_the_node_and_is_saved_when_time_is_short(
    alice: Person, hub: LiveHub, picture: Picture
) -> None:
    page = alice.page
    choose_interface(alice, "Notebook")
    page.wait_for_url(re.compile(r"/user/alice/tree"), timeout=START_SECONDS * 1000)
    new = page.get_by_role("button", name="New").or_(page.get_by_text("New", exact=True)).first
    expect(new).to_be_visible()
    picture("notebook-tree")
    new.click()
    with page.context.expect_page() as opened:
        page.get_by_role("menuitem", name=re.compile("Python 3")).click()
    notebook = opened.value
    cell = notebook.locator(".jp-Notebook .jp-Cell .cm-content").first
    expect(
        notebook.locator(".jp-NotebookKernelStatus, .jp-Notebook-ExecutionIndicator").first
    ).to_be_visible()
    expect(notebook.locator('[data-status="idle"]').first).to_be_visible(timeout=30_000)
    cell.click()
    notebook.keyboard.type("import socket; print(socket.gethostname())")
    output = notebook.locator(".jp-Notebook .jp-OutputArea-output").first

    def run() -> None:
        notebook.keyboard.press("Control+Enter")
        expect(output).to_have_text(re.compile(r"n1\s*"), timeout=2_000)

    for _ in range(5):  # it drops what is run before the kernel is connected, and does not tell
        try:
            run()
            break
        except AssertionError:
            continue
    else:
        run()
    assert "/notebooks/" in notebook.url

    # A scheduler's signal as it comes before the time limit; tests/browser/test_time.py waits for a real one.
    cell.click()
    notebook.keyboard.type("unsaved = 1; ")
    [job] = hub.expect_cancel("alice")
    sent = hub.cluster.run("gateway", ["scancel", "--batch", "--signal=USR1", job], "alice")
    assert sent.returncode == 0, sent.stderr
    warning = notebook.get_by_role("alert").filter(has_text="Your session ends in")
    expect(warning).to_be_visible()
    expect(warning).to_be_in_viewport(ratio=1)
    notebook.screenshot(path=SCREENSHOTS / "notebook-warning.png")
    file = hub.cluster.people["alice"].home / "Untitled.ipynb"
    assert processes.wait_until(lambda: "unsaved = 1; " in file.read_text(), 10)


def test_the_terminal_opens_a_terminal_on_the_node_and_no_notebook(
    alice: Person, hub: LiveHub, picture: Picture
) -> None:
    page = alice.page
    choose_interface(alice, "Terminal")
    expect(page.locator(".jp-Terminal").first).to_be_visible(timeout=START_SECONDS * 1000)
    page.locator(".jp-Terminal .xterm-helper-textarea").first.focus()
    home = hub.cluster.people["alice"].home
    page.keyboard.type("echo $(hostname) $USER > proof.log\n")
    for _ in range(100):
        if (home / "proof.log").exists() and (home / "proof.log").read_text():
            break
        page.wait_for_timeout(100)
    picture("terminal")
    assert (home / "proof.log").read_text() == "n1 alice\n"
    expect(page.locator('.jp-LauncherCard[data-category="Notebook"]')).to_have_count(0)


@pytest.fixture
def environment_with_application() -> Iterator[None]:
    """That of the profile "applications"."""
    applications.make(APPLICATIONS)
    yield
    shutil.rmtree(APPLICATIONS)


@pytest.mark.usefixtures("environment_with_application")
def test_an_application_of_the_environment_opens_on_the_node_and_lab_where_it_has_none(
    bob: Person, hub: LiveHub, picture: Picture
) -> None:
    page = bob.page
    choose_interface(bob, "A board", profile="applications", card="Applications")
    page.wait_for_url(re.compile(r"/user/bob/board/"), timeout=START_SECONDS * 1000)
    expect(page.get_by_role("heading", name=re.compile("A board of bob on n[12]"))).to_be_visible()
    picture("application")
    bob.stop()

    choose_interface(bob, "VS Code", profile="applications", card="Applications")
    bob.await_lab()
    [job] = hub.expect_cancel("bob")
    [log] = (SHARED / "sessions").glob(f"**/*{job}*.log")
    assert "has no application vscode for jupyter-server-proxy; JupyterLab opens" in log.read_text()


def test_stop_while_the_job_waits_leaves_no_job(bob: Person, hub: LiveHub, picture: Picture) -> None:
    bob.start("Held until released")
    expect(bob.message).to_contain_text(re.compile(r"Job \d+ waits"))
    hub.expect_cancel("bob")
    bob.page.get_by_role("button", name="Stop").click()
    bob.page.wait_for_url("**/hub/home")
    assert hub.wait_for_no_job("bob", 5)
    assert hub.servers("bob").get("", {"stopped": True})["stopped"]
    expect(bob.page.get_by_role("link", name="Start my session")).to_be_visible()
    picture("stopped-while-waiting")
