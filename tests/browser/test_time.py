"""Before its time limit a session saves what is open and says so; then the limit is what ended it.

Without `clusterhub.session.server.Session.follow`, without our extension of JupyterLab, or without the signal
in the job script nothing is saved and no warning is seen. Without `Deadline.learn` a limit that the operator
extends goes on to be warned of.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import expect
from tests.browser.conftest import Picture
from tests.browser.person import Person
from tests.hub_fixture import LiveHub
from tests.real_cluster import processes


def limit(hub: LiveHub, job: str, limit: str) -> None:
    """Sets a job's time limit, as an operator."""
    done = hub.cluster.run("gateway", ["scontrol", "update", f"job={job}", limit])
    assert done.returncode == 0, done.stderr


def source(notebook: Path) -> str:
    """What the cells of a notebook on disk say."""
    return "".join(line for cell in json.loads(notebook.read_text())["cells"] for line in cell["source"])


def test_before_the_time_limit_open_documents_are_saved_and_the_person_is_warned(
    alice: Person, hub: LiveHub, picture: Picture
) -> None:
    page = alice.page
    alice.start("Ten minutes at once")
    alice.await_lab()
    [job] = hub.jobs("alice")
    page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
    notebook = hub.cluster.people["alice"].home / "Untitled.ipynb"
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").first
    cell.click()
    page.keyboard.type("what = 'is not saved'")
    expect(cell).to_have_text("what = 'is not saved'")
    assert source(notebook) == ""
    warning = page.get_by_role("alert").filter(has_text="Your session ends in")
    expect(warning).to_be_hidden()

    limit(hub, job, "TimeLimit=2")
    expect(warning).to_be_visible(timeout=60_000)
    assert processes.wait_until(lambda: source(notebook) == "what = 'is not saved'", 5)
    expect(warning).to_contain_text(re.compile(r"ends in (2 minutes|\d0 seconds), at \d"))
    expect(warning).to_be_in_viewport(ratio=1)
    picture("time-warning")
    close = page.locator(".Toastify__toast").filter(has_text="Your session ends in").get_by_role("button")
    close.first.focus()
    expect(close.first).to_be_focused()

    limit(hub, job, "TimeLimit=60")
    expect(warning).to_be_hidden(timeout=60_000)

    limit(hub, job, "EndTime=now+1")
    assert processes.wait_until(lambda: not hub.jobs("alice"), 90, pause=0.5)
    assert processes.wait_until(lambda: hub.servers("alice")[""]["stopped"], 30, pause=0.2)
    page.goto("/user/alice/lab")
    expect(page.get_by_text("Your session reached its time limit.")).to_be_visible()  # not of ten minutes
    picture("time-limit")
