"""One domain for hub and sessions, by HTTPS: what pages of the web, and of Bob's session, can do to Alice.

Each test says which line, taken out, makes it fail.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect
from tests.abuse.bobs_tricks import (
    ASK,
    ELSEWHERE_IN_DISGUISE,
    MAKE_TERMINAL,
    OPEN_WEBSOCKET,
    READ_FRAME,
    READ_OPENED,
    SENDS_ITSELF,
    SHOW_PICTURE,
    WORKER,
)
from tests.abuse.https_hub import (
    ELSEWHERE,
    HOST,
    REDIRECT_PORT,
    Front,
    bobs_page,
    forbidden_in,
    logged_in,
    tab,
    tried,
)
from tests.browser.conftest import SCREENSHOTS, clear
from tests.browser.person import Person
from tests.real_cluster import RealCluster, processes
from tests.real_cluster.layout import GATEWAY

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
TERMINAL = "1"
"""The name of a first terminal: anybody can guess it."""


@pytest.fixture(scope="module")
def alices(front: Front, browser: Browser) -> Iterator[tuple[BrowserContext, Person]]:
    """Alice's browser: she is logged in, and nothing of hers runs yet."""
    home = front.live.cluster.people["alice"].home
    clear(home)
    context, person = logged_in(browser, front, "alice")
    yield context, person
    context.close()
    clear(home)


@pytest.fixture(scope="module")
def alice(alices: tuple[BrowserContext, Person]) -> Person:
    return alices[1]


@pytest.fixture
def page(alices: tuple[BrowserContext, Person]) -> Iterator[Page]:
    """One more tab of Alice's browser."""
    with tab(alices[0]) as page:
        yield page


@pytest.fixture(scope="module")
def lab(alice: Person) -> Page:
    """Alice's session, with a notebook open."""
    page = alice.page
    page.goto("/hub/home")  # a start page from before another login would be of no use any more
    alice.start("Ten minutes at once")
    alice.await_lab()
    page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
    return page


@pytest.fixture(scope="module")
def bobs(front: Front) -> Iterator[str]:
    """The address of a page that Bob's session serves."""
    with bobs_page(front, subdomains=False) as url:
        yield url


def test_the_front_speaks_tls_of_today_with_the_certificate_for_its_name(front: Front) -> None:
    """Without ``--ssl-ciphers`` TLS 1.3 is not spoken, and CBC is."""
    with front.connect() as connection:
        assert connection.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        front.connect("www.example.org")
    for version, ciphers in (
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:AES128-SHA"),
    ):
        old = front.context()
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        old.maximum_version = version
        old.set_ciphers(ciphers)
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            front.connect(context=old)


def test_plain_http_is_answered_with_a_redirect_to_https(front: Front, cluster: RealCluster) -> None:
    connection = cluster.connect(GATEWAY.name, GATEWAY.address, REDIRECT_PORT)
    with connection:
        connection.sendall(
            f"GET /hub/home?a=1 HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = connection.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 301 ")
    assert f"Location: {front.url}/hub/home?a=1\r\n" in answer


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/hub/login", 200),
        ("/hub/", 302),
        ("/hub/nowhere", 404),
        ("/hub/api/users", 403),
        ("/hub/api", 200),
        ("/hub/logo", 200),
        ("/hub/static/js/darkmode.js", 200),
        ("/hub/clusterhub/error/503?url=/user/alice/lab", 200),
    ],
)
def test_every_kind_of_answer_of_the_hub_has_the_headers(front: Front, path: str, status: int) -> None:
    """Without ``always`` of `incoming` none has them; without `with_policy` pages may run any script."""
    answer, _ = front.ask(path)
    assert answer.status == status
    told = {name.lower(): value for name, value in answer.getheaders()}
    assert {name: told.get(name) for name in EVERYWHERE} == EVERYWHERE
    if told["content-type"].startswith(("text/html", "application/json")) and "static" not in path:
        policy = told["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy.partition("style-src")[0]


def test_another_host_in_a_request_leads_nowhere_else(front: Front) -> None:
    """Without `public_url` JupyterHub would take the request's word for its own name."""
    for headers in (
        {"Host": "evil.example.net"},
        {"X-Forwarded-Host": "evil.example.net"},
        {"Forwarded": "host=evil.example.net"},
    ):
        for path in ("/hub/", "/hub/login?next=/hub/home", "/user/alice/lab", "/hub/nowhere", "/"):
            answer, body = front.ask(path, headers=headers)
            assert "evil" not in str(answer.getheaders()), path
            assert b"evil" not in body, path


def test_no_link_through_the_hub_leads_out_of_it(page: Page, front: Front) -> None:
    """With `_validate_next_url` of JupyterHub left out, all of the first ones do."""
    for leads in ELSEWHERE_IN_DISGUISE:
        for path in (f"/hub/login?next={quote(leads)}", f"/hub/spawn?next={quote(leads)}"):
            page.goto(path)
            assert urlsplit(page.url).netloc == urlsplit(front.url).netloc, leads


@pytest.mark.usefixtures("lab")
def test_no_page_of_the_web_frames_anything_of_hub_or_session(
    page: Page, front: Front, alices: tuple[BrowserContext, Person]
) -> None:
    """With `frame-ancestors` taken out the frames show what they were to show."""
    frames = ["/hub/home", "/hub/token", "/hub/spawn", "/hub/login", "/user/alice/lab", "/user/alice/api/me"]
    html = "".join(f'<iframe src="{front.url}{path}"></iframe>' for path in frames)
    alices[0].route(f"{ELSEWHERE}/frames", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"{ELSEWHERE}/frames")

    def shown_in_frames() -> list[str]:
        page.evaluate("0")  # lets what the page has done come in
        return [frame.url for frame in page.frames if frame is not page.main_frame and frame.url]

    assert processes.wait_until(lambda: len(shown_in_frames()) == len(frames), 20, pause=0.1)
    shown = shown_in_frames()
    assert all(url.startswith("chrome-error:") for url in shown), shown


@pytest.mark.usefixtures("lab")
def test_no_page_of_the_web_starts_or_stops_anything(
    page: Page, front: Front, alices: tuple[BrowserContext, Person]
) -> None:
    """A form that sends itself, and requests with cookies. With JupyterHub's `check_xsrf_cookie` left out and
    SameSite too, the form starts a server named "evil"."""
    jobs = front.live.jobs("alice")
    html = SENDS_ITSELF.format(url=f"{front.url}/hub/spawn/alice/evil")
    alices[0].route(f"{ELSEWHERE}/form", lambda route: route.fulfill(body=html, content_type="text/html"))
    with page.expect_response(lambda answer: "/hub/spawn/alice/evil" in answer.url) as sent:
        page.goto(f"{ELSEWHERE}/form", wait_until="commit")
    assert sent.value.status == 403
    page.wait_for_url("**/hub/spawn/alice/evil")
    page.goto(f"{ELSEWHERE}/")
    for method, path in (("DELETE", "/hub/api/users/alice/server"), ("GET", "/hub/api/user")):
        asked = (
            "(url, method) => fetch(url, {method, credentials: 'include'}).then((answer) => answer.text())"
        )
        assert tried(page, asked, front.url + path, method) == "TypeError"
    assert front.live.jobs("alice") == jobs
    assert list(front.live.servers("alice")) == [""]


@pytest.mark.usefixtures("lab")
def test_a_link_fills_the_start_page_in_and_starts_nothing(page: Page, front: Front) -> None:
    """With `StartByPage._get_user_options` left out, or `links_may_start` set, the link starts a job."""
    jobs = front.live.jobs("alice")
    page.goto("/hub/spawn/alice/other?opt-profile=interactive&opt-cpus=3&start=now")
    expect(page.get_by_role("radio", name="Interactive, up to 8 cores")).to_be_checked()
    expect(page.locator("[name='interactive:cpus']")).to_have_value("3")
    assert front.live.jobs("alice") == jobs
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()


@pytest.mark.usefixtures("lab")
def test_the_pages_work_and_run_no_script_but_their_own(page: Page) -> None:
    """With `MarkedScripts` left out, or a script without nonce, the page's policy forbids something.

    The other way round, without the policy the handler that is planted runs.
    """
    forbidden = forbidden_in(page)
    for path, heading in (
        ("/hub/home", "#ch-stop-default"),
        ("/hub/token", "#request-token-form"),
        ("/hub/spawn/alice/x", "#start"),
    ):
        answer: Response | None = page.goto(path)
        assert answer is not None
        assert "script-src 'nonce-" in answer.headers["content-security-policy"]
        expect(page.locator(heading)).to_be_visible()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=SCREENSHOTS / f"https{path.replace('/', '-')}.png")
    assert forbidden == []
    planted = "() => { document.body.innerHTML += '<img src=x onerror=\"window.hacked = 1\">'; }"
    page.evaluate(planted)
    processes.wait_until(lambda: bool(forbidden) or page.evaluate("window.hacked === 1"), 10)
    page.wait_for_timeout(1)  # lets what the page has done come in
    assert page.evaluate("window.hacked") is None
    assert forbidden


@pytest.mark.usefixtures("lab")
def test_cookies_go_over_https_to_their_own_part_of_the_site_and_to_no_script(
    alices: tuple[BrowserContext, Person], front: Front
) -> None:
    """Without `cookie_options` they have no SameSite; that of the session's `_xsrf` is not Secure without
    `init_webapp` of ours."""
    answer, _ = front.ask("/hub/login")
    assert "SameSite=Lax" in (answer.headers["set-cookie"] or ""), "Chromium takes its absence for Lax"
    cookies = {(each["name"], each["path"]): each for each in alices[0].cookies()}
    assert {path for _, path in cookies} == {"/", "/hub/", "/user/alice/"}
    assert [name for name, path in cookies if path == "/"] == ["jupyterhub-session-id"]
    for (name, path), cookie in cookies.items():
        assert cookie["secure"], name
        assert cookie["sameSite"] == "Lax", name
        # JupyterLab's scripts send what its own has.
        assert cookie["httpOnly"] is ((name, path) != ("_xsrf", "/user/alice/")), name


@pytest.mark.usefixtures("lab")
def test_a_file_that_is_looked_at_runs_apart_from_the_session(page: Page, front: Front) -> None:
    """With the sandbox of Jupyter Server's policy left out, its script has the session's origin."""
    file = front.live.cluster.people["alice"].home / "Untitled-page.html"
    file.write_text("<script>document.title = self.origin + document.location.pathname</script>")
    file.chmod(0o644)
    answer = page.goto("/user/alice/files/Untitled-page.html")
    assert answer is not None
    assert "sandbox allow-scripts" in answer.headers["content-security-policy"]
    assert page.title() == "null/user/alice/files/Untitled-page.html"


def test_a_page_of_bobs_session_gets_nothing_of_hub_and_session_by_asking(
    page: Page, front: Front, lab: Page, bobs: str
) -> None:
    """It has the same origin, and Alice's cookies go along. It lacks the tokens against forged requests.

    Without `prepare` of `with_policy` it reads them from pages of the hub; without `named_websocket`, or
    JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH, both websockets open.
    """
    token = lab.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).token")
    base = f"{front.url}/user/alice/api"
    made = lab.evaluate(MAKE_TERMINAL, [f"{base}/terminals", token])
    assert made["name"] == TERMINAL

    page.goto(bobs)
    assert page.title() == "A nice plot"
    assert page.evaluate("document.cookie") == ""
    for path, method in (
        ("/hub/home", "GET"),
        ("/hub/token", "GET"),
        ("/hub/api/user", "GET"),
        ("/hub/api/users/alice/tokens", "POST"),
        ("/hub/api/users/alice/server", "DELETE"),
        ("/hub/spawn/alice/other", "POST"),
        ("/hub/api/oauth2/authorize?client_id=jupyterhub-user-alice&response_type=code", "GET"),
        ("/user/alice/lab", "GET"),
        ("/user/alice/api/contents", "GET"),
        ("/user/alice/api/kernels", "POST"),
        ("/user/alice/api/terminals", "GET"),
    ):
        assert tried(page, ASK, path, method) == 403, path
    for path in (f"terminals/websocket/{TERMINAL}", "api/events/subscribe"):
        url = f"wss://{HOST}:{front.port}/user/alice/{path}"
        assert tried(page, OPEN_WEBSOCKET, url) == "refused", path
        assert tried(page, OPEN_WEBSOCKET, f"{url}?token={token}") == "open", "the door is there"


@pytest.mark.usefixtures("lab")
def test_a_page_of_bobs_session_gets_no_hold_of_a_page_of_alices(page: Page, bobs: str) -> None:
    """Frames, and windows that a click opens. With Cross-Origin-Opener-Policy left out of ``front.cjs``,
    Bob's page reads and writes the window as if it were its own."""
    for path in ("/hub/home", "/user/alice/lab"):
        page.goto(bobs)
        assert tried(page, READ_FRAME, path) == "closed", path
        page.goto(bobs)
        page.evaluate("(path) => { window.target = path; }", path)
        with page.context.expect_page() as opening:
            page.get_by_role("button", name="Show more").click()
        opened = opening.value
        opened.wait_for_load_state("domcontentloaded")
        assert urlsplit(opened.url).path == path, "Alice sees it"
        assert tried(page, READ_OPENED) == "closed", path
        opened.close()


def test_a_page_of_bobs_session_takes_no_part_of_the_site_over(page: Page, bobs: str) -> None:
    """A service worker answers in the place of the site from then on. With ``front.cjs`` left out, Bob's may
    for all of it, the login page too."""
    page.goto(bobs)
    for scope in ("/", "/hub/", "/user/", "/user/alice/"):
        assert tried(page, WORKER, scope) == "SecurityError", scope
    assert tried(page, WORKER, "/user/bob/") == "/user/bob/", "its own part is its own"
    page.evaluate("navigator.serviceWorker.getRegistration('/user/bob/').then((each) => each.unregister())")


@pytest.mark.usefixtures("lab")
def test_what_remains_on_one_domain(page: Page, front: Front, bobs: str) -> None:
    """What browsers let pages of one origin do to each other: the page on security says so, and that
    subdomains end it (test_subdomains.py has the same, refused)."""
    pictures = front.live.cluster.people["alice"].home / "Untitled.svg"
    pictures.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2"/>')
    pictures.chmod(0o644)
    page.goto(bobs)
    assert tried(page, SHOW_PICTURE, "/user/alice/files/Untitled.svg") == 3
    page.evaluate("localStorage.setItem('of-bob', 'here')")
    page.goto("/hub/home")
    assert page.evaluate("localStorage.getItem('of-bob')") == "here"


def test_a_renewed_certificate_interrupts_nothing(front: Front, lab: Page, alice: Person) -> None:
    """Not even a websocket; with the handler of SIGHUP left out of ``front.cjs`` the proxy ends."""
    lab.bring_to_front()
    output = alice.run_cell("import os; before = os.getpid(); print('first', before)")
    expect(output).to_contain_text("first")
    opened: list[str] = []
    lab.on("websocket", lambda socket: opened.append(socket.url))
    renewed = ssl.PEM_cert_to_DER_cert(
        front.authority.write(front.directory, HOST, f"*.{HOST}", "127.0.0.1").decode()
    )

    def shown() -> bool:
        with front.connect() as connection:
            return connection.getpeercert(binary_form=True) == renewed

    assert processes.wait_until(shown, 15, pause=0.2)
    cell = lab.locator(".jp-Notebook .jp-Cell .cm-content").nth(1)
    cell.click()
    lab.keyboard.type("print('second', before == os.getpid())")
    lab.keyboard.press("Shift+Enter")
    expect(lab.locator(".jp-Notebook .jp-OutputArea-output").nth(1)).to_have_text("second True\n")
    assert opened == [], "a websocket was opened anew"
    assert "taken up a renewed certificate" in front.live.log()
    lab.screenshot(path=SCREENSHOTS / "https-renewed.png")


@pytest.mark.usefixtures("lab")
def test_somebody_who_logs_out_is_out_of_the_session_too(page: Page) -> None:
    page.goto("/hub/logout")
    page.goto("/user/alice/lab")
    expect(page.get_by_label("Password")).to_be_visible()
