"""The site's own face, as a browser shows it, on the demonstration's hub.

Without `Face` in the templates the title is JupyterHub's; without `_colours` the button is orange.
"""

from __future__ import annotations

import getpass
from pathlib import Path

from playwright.sync_api import Browser, expect
from tests.fault.conftest import running_demo

LOGO = """\
<svg xmlns="http://www.w3.org/2000/svg" width="64" height="28">
<rect width="64" height="28" fill="#00558c"/></svg>
"""


def test_a_site_has_its_own_title_logo_colours_texts_and_links(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text(LOGO)
    pages = f"""
[pages]
title = "Jupyter at Example University"
logo = "{tmp_path}/logo.svg"
colour = "#00558c"
login_text = "Log in with your account on the <cluster>."
start_text = "Courses have profiles of their own."
footer = "Example University, IT services"
help = "https://docs.example.org/jupyter"
links = [ {{{{ name = "Privacy", url = "https://example.org/privacy" }}}} ]
"""
    with running_demo(tmp_path / "demo", profile=pages) as demo:
        context = browser.new_context(base_url=demo.url, reduced_motion="reduce")
        page = context.new_page()
        page.goto("/hub/login")
        expect(page).to_have_title("Jupyter at Example University")
        expect(page.get_by_text("Log in with your account on the <cluster>.")).to_be_visible()
        logo = page.get_by_role("img", name="Jupyter at Example University")
        assert logo.evaluate("image => image.naturalWidth") == 64
        button = page.get_by_role("button", name="Sign in")
        assert button.evaluate("button => getComputedStyle(button).backgroundColor") == "rgb(0, 85, 140)"
        assert button.evaluate("button => getComputedStyle(button).color") == "rgb(255, 255, 255)"
        expect(page.get_by_text("Example University, IT services")).to_be_visible()
        for name, url in (
            ("Privacy", "https://example.org/privacy"),
            ("Help", "https://docs.example.org/jupyter"),
        ):
            expect(page.get_by_role("link", name=name)).to_have_attribute("href", url)
        page.get_by_label("Username").fill(getpass.getuser())
        page.get_by_label("Password").fill(demo.password)
        button.click()
        expect(page.get_by_text("Courses have profiles of their own.")).to_be_visible()
        context.close()
