"""A full home directory, as its owner meets it: the session opens, says what is wrong, and lets it be mended.

The notification comes from our extension of JupyterLab: without `Session.home_problem` there is none. How
else each protection is missed: tests/fault/test_home_full.py.
"""

from __future__ import annotations

import re

from playwright.sync_api import expect
from tests.browser.conftest import Picture
from tests.browser.person import Person
from tests.hub_fixture import LiveHub
from tests.real_cluster import processes
from tests.room import small_file_system


def test_bob_gets_in_with_a_full_home_makes_room_and_saves_again(
    bob: Person, hub: LiveHub, picture: Picture
) -> None:
    page = bob.page
    with small_file_system(hub.cluster, "n1", hub.cluster.people["bob"].home, "bob") as home:
        home.fill()
        bob.start("Ten minutes at once")
        bob.await_lab()
        banner = page.get_by_role("alert").filter(has_text="Your home directory /home/bob is full")
        expect(banner).to_be_visible(timeout=20_000)
        expect(banner).to_contain_text(
            "nothing can be saved. Delete files in the file browser or a terminal."
        )
        expect(banner).to_be_in_viewport(ratio=1)
        picture("home-full")

        page.get_by_role("button", name="Open a terminal").click()
        expect(page.locator(".jp-Terminal").first).to_be_visible()
        page.locator(".jp-Terminal .xterm-helper-textarea").first.focus()
        page.keyboard.type("rm big\n")
        assert processes.wait_until(lambda: home.run("test", "-e", f"{home.path}/big")[0] == 1, 20, 0.2)
        expect(page.get_by_role("alert").filter(has_text="There is room in your home")).to_be_visible(
            timeout=30_000
        )
        expect(banner).to_be_hidden()

        page.get_by_role("menuitem", name="File", exact=True).click()
        page.get_by_role("menuitem", name=re.compile("^New Launcher")).click()
        page.locator('.jp-LauncherCard[data-category="Notebook"]').last.click()
        output = bob.run_cell("print(6 * 7)")
        expect(output).to_have_text(re.compile("42"))
        page.keyboard.press("Control+s")
        page.locator(".jp-Dialog .jp-mod-accept").click()  # JupyterLab asks for a better name than Untitled
        saved = ("grep", "-q", "6 \\* 7", f"{home.path}/Untitled.ipynb")
        assert processes.wait_until(lambda: home.run(*saved)[0] == 0, 20, 0.2)
        picture("home-has-room")
        hub.expect_cancel("bob")
        bob.stop()
