"""With `subdomains`, Bob's session is at a name of its own: nothing of Alice's is in reach of its pages.

With the setting taken out of the site (`test_browser.py` has it so) the requests are answered, the picture is
seen and the storage is shared.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.abuse.bobs_tricks import ASK, OPEN_WEBSOCKET, READ_FRAME, READ_OPENED, SHOW_PICTURE, WORKER
from tests.abuse.https_hub import HOST, Front, bobs_page, logged_in, tab, tried
from tests.browser.conftest import SCREENSHOTS, clear
from tests.browser.person import Person

ASK_WITH_COOKIES = (
    "(url, method) => fetch(url, {method, credentials: 'include'}).then((answer) => answer.status)"
)
SEND = """
(url) => new Promise((resolve) => {
  document.body.insertAdjacentHTML("beforeend", `<iframe name="into"></iframe>
    <form method="post" target="into" action="${url}"><input name="profile" value="debug"></form>`);
  document.querySelector("iframe").onload = () => resolve("sent");
  document.forms[0].submit();
})
"""


@pytest.fixture(scope="module")
def subdomains() -> bool:
    return True


@pytest.fixture(scope="module")
def alices(front: Front, browser: Browser) -> Iterator[tuple[BrowserContext, Person]]:
    """Alice's browser, with her session's page, a notebook that ran, and a terminal."""
    home = front.live.cluster.people["alice"].home
    clear(home)
    context, person = logged_in(browser, front, "alice")
    person.start("Ten minutes at once")
    person.await_lab()
    person.page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
    expect(person.run_cell("print(6 * 7)")).to_have_text("42\n")
    yield context, person
    context.close()
    clear(home)


@pytest.fixture
def page(alices: tuple[BrowserContext, Person], front: Front) -> Iterator[Page]:
    """Bob's page, in a tab of Alice's browser."""
    with tab(alices[0]) as page, bobs_page(front, subdomains=True) as url:
        page.goto(url)
        assert page.title() == "A nice plot"
        yield page


def test_everything_works_at_names_of_peoples_own(
    alices: tuple[BrowserContext, Person], front: Front
) -> None:
    """Login, start, OAuth from one name to the other, and a kernel's websocket."""
    _, alice = alices
    assert alice.page.url.startswith(f"https://alice.{HOST}:{front.port}/user/alice/lab")
    alice.page.screenshot(path=SCREENSHOTS / "subdomains-lab.png")
    front.connect(f"alice.{HOST}").close()


def test_each_cookie_is_for_one_name_and_none_can_be_set_from_another(
    alices: tuple[BrowserContext, Person],
) -> None:
    """A name with ``__Host-`` has a browser take it from that host alone. Without
    ``cookie_host_prefix_enabled`` Bob's page sets Alice's login at the hub."""
    cookies = {each["name"]: each for each in alices[0].cookies()}
    assert cookies["__Host-jupyterhub-hub-login"]["domain"] == HOST
    assert cookies["__Host-jupyterhub-user-alice"]["domain"] == f"alice.{HOST}"
    for name, cookie in cookies.items():
        assert cookie["secure"], name
        assert cookie["sameSite"] == "Lax", name
        wide = [each for each in cookies if cookies[each]["domain"].startswith(".")]
        assert wide == ["jupyterhub-session-id"], "which nobody is let in by"


def test_a_page_of_bobs_session_reaches_nothing_of_alices(page: Page, front: Front) -> None:
    hub, session = front.url, f"https://alice.{HOST}:{front.port}"
    pictures = front.live.cluster.people["alice"].home / "Untitled.svg"
    pictures.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2"/>')
    pictures.chmod(0o644)
    for url, method in (
        (f"{hub}/hub/home", "GET"),
        (f"{hub}/hub/api/user", "GET"),
        (f"{hub}/hub/api/users/alice/tokens", "POST"),
        (f"{hub}/hub/api/users/alice/server", "DELETE"),
        (f"{session}/user/alice/lab", "GET"),
        (f"{session}/user/alice/api/contents", "GET"),
        (f"{session}/user/alice/api/terminals", "POST"),
    ):
        assert tried(page, ASK_WITH_COOKIES, url, method) == "TypeError", url
    for path in ("api/events/subscribe", "terminals/websocket/1"):
        url = f"wss://alice.{HOST}:{front.port}/user/alice/{path}"
        assert tried(page, OPEN_WEBSOCKET, url) == "refused", path
    for url in (f"{hub}/hub/home", f"{session}/user/alice/lab"):
        assert tried(page, READ_FRAME, url) == "closed", url
        page.evaluate("(url) => { window.target = url; }", url)
        with page.context.expect_page() as opening:
            page.get_by_role("button", name="Show more").click()
        opening.value.wait_for_load_state("domcontentloaded")
        assert tried(page, READ_OPENED) in ("closed", "SecurityError"), url
        opening.value.close()
    assert tried(page, SHOW_PICTURE, f"{session}/user/alice/files/Untitled.svg") == "refused"
    assert page.evaluate("localStorage.length") == 0, "nothing of hub or Lab"
    assert tried(page, ASK, "/hub/api/user", "GET") in (403, 404), "the hub is not at Bob's name"


def test_a_page_of_bobs_session_sets_no_login_and_sends_no_form(page: Page, front: Front) -> None:
    """The names are of one site, so SameSite keeps no cookie back; tokens against forged requests help."""
    page.evaluate(
        f"document.cookie = '__Host-jupyterhub-hub-login=bobs; Secure; Path=/; Domain={HOST}';"
        f"document.cookie = '__Host-jupyterhub-user-alice=bobs; Secure; Path=/; Domain={HOST}';"
    )
    values = [each["value"] for each in page.context.cookies()]
    assert "bobs" not in values
    jobs = front.live.jobs("alice")
    assert tried(page, SEND, f"{front.url}/hub/spawn/alice/evil") == "sent"
    assert front.live.jobs("alice") == jobs
    assert list(front.live.servers("alice")) == [""]


def test_a_page_of_bobs_session_registers_a_worker_for_its_own_part_only(page: Page) -> None:
    assert tried(page, WORKER, "/") == "SecurityError"
    assert tried(page, WORKER, "/user/bob/") == "/user/bob/"
