"""The start page, live: what is free, when a choice would start, what would start sooner, and links.

Carol's jobs leave four cores free. Without `clusterhub.spawner.estimates` the page never says when; without
the choice in `nearby` there is no button for four cores; without the look at where somebody came from in
`clusterhub.hub.links.may_start` a page of another site starts a session.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests import hub_site
from tests.browser.conftest import Picture
from tests.browser.person import START_SECONDS, Person
from tests.browser.test_access import check
from tests.hub_fixture import LiveHub
from tests.real_cluster import RealCluster

WIDTHS = {768: 1024, 1440: 900}
PATIENCE = 20_000
"""Milliseconds for an answer of the scheduler's, on a machine that is busy."""
ELSEWHERE = "http://elsewhere.test/"


@pytest.fixture(scope="module")
def site_text(cluster: RealCluster) -> str:
    """Of a site that lets links start."""
    site = hub_site.text(cluster.footprint().port)
    return site.replace("[hub]\n", "[hub]\nlinks_may_start = true\n")


@pytest.fixture
def four_cores_left(hub: LiveHub) -> Iterator[None]:
    """For forty minutes: all of n2 and twelve cores of n1 are Carol's."""
    jobs = []
    for node, cpus in (("n2", 16), ("n1", 12)):
        options = [f"--nodelist={node}", f"--cpus-per-task={cpus}", "--mem=1G", "--time=40", "--chdir=/"]
        line = ["sbatch", "--parsable", *options, "--output=/dev/null", "--wrap=sleep 2400"]
        done = hub.cluster.run("gateway", line, "carol")
        assert done.returncode == 0, done.stderr
        jobs.append(done.stdout.strip())
        hub.cluster.wait_for_job(jobs[-1], "RUNNING")
    yield
    for job in jobs:
        hub.cancel(job, "carol")
        hub.cluster.wait_for_job(job, "CANCELLED")


def estimates(hub: LiveHub) -> int:
    """How often the controller was asked when a job would start."""
    said = hub.cluster.run("gateway", ["sdiag"]).stdout
    found = re.search(r"REQUEST_JOB_WILL_RUN\s.*count:(\d+)", said)
    return int(found[1]) if found else 0


def surveys(hub: LiveHub) -> int:
    """How often the controller was asked for its nodes, by the hub."""
    said = hub.cluster.run("gateway", ["sdiag"]).stdout
    found = re.search(r"REQUEST_NODE_INFO\s.*count:(\d+)", said)
    return int(found[1]) if found else 0


@pytest.mark.usefixtures("four_cores_left")
def test_what_is_chosen_is_told_with_its_time_and_what_starts_sooner(
    alice: Person, hub: LiveHub, picture: Picture
) -> None:
    page = alice.page
    asked = estimates(hub)
    page.reload()
    card = page.locator(".ch-card", has=page.get_by_role("radio", name="Interactive, up to 8 cores"))
    expect(card.locator(".ch-free")).to_contain_text("4 of 32 cores free")
    assert estimates(hub) == asked, "nobody chose anything yet"

    cores, when = page.locator("[name='interactive:cpus']"), page.locator("#ch-when")
    cores.fill("4")
    expect(when).to_have_text("It would start now.", timeout=PATIENCE)
    cores.fill("8")
    expect(when).to_have_text(re.compile(r"It would start at \d\d:\d\d, in (3\d|40)min\."), timeout=PATIENCE)
    sooner = page.get_by_role("group", name="Sooner, with something else:")
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        picture(f"start-live-{width}")
    check(page, picture, "start-live")
    page.emulate_media(forced_colors="active")
    picture("start-live-forced-colors")
    page.emulate_media(forced_colors="none")
    sooner.get_by_role("button", name="Now with 4 cores").click()
    expect(cores).to_have_value("4")
    expect(when).to_have_text("It would start now.", timeout=PATIENCE)
    expect(sooner).to_be_hidden()

    cores.fill("9")
    expect(when).to_contain_text("more than can be chosen here", timeout=PATIENCE)
    expect(cores).to_have_attribute("aria-invalid", "true")
    assert asked < estimates(hub) <= asked + 6


def test_a_link_has_what_the_form_has_and_starts_nothing(alice: Person, hub: LiveHub) -> None:
    page = alice.page
    page.goto("/hub/spawn?next=lab/tree/notes.ipynb")
    page.get_by_role("radio", name="One GPU").check()
    card = page.locator(".ch-card", has=page.get_by_role("radio", name="One GPU"))
    card.get_by_label("Time").fill("2h")
    page.get_by_role("button", name="Copy link").click()
    link = page.get_by_label("Link with this choice").input_value()
    assert link.startswith(f"{hub.url}/hub/spawn?profile=gpu&")
    assert "time=2h" in link
    assert "_xsrf" not in link
    page.goto("/hub/spawn?profile=interactive&cpus=3")
    expect(page.locator("[name='interactive:cpus']")).to_have_value("3")

    # A page of another site has somebody click on it; where links may not start at all is in tests/abuse.
    answer = f'<a href="{link}&start=now">a prize</a>'
    page.context.route(ELSEWHERE, lambda route: route.fulfill(body=answer, content_type="text/html"))
    page.goto(ELSEWHERE)
    page.get_by_text("a prize").click()
    expect(page.get_by_role("radio", name="One GPU")).to_be_checked()
    expect(card.get_by_label("Time")).to_have_value("2h")
    assert hub.jobs("alice") == []


def test_a_choice_is_kept_under_a_name(alice: Person, hub: LiveHub) -> None:
    page = alice.page
    cores = page.locator("[name='interactive:cpus']")
    cores.fill("5")
    page.get_by_label("Keep this choice as a preset").fill("five <b>cores</b>")
    page.keyboard.press("Enter")
    expect(page.locator("#ch-saved")).to_have_text("Saved.")
    hub.stop()
    hub.start()
    page.goto("/hub/spawn?next=lab")
    page.get_by_role("link", name="five <b>cores</b>").click()
    expect(cores).to_have_value("5")
    assert "next=lab" in page.url
    page.once("dialog", lambda dialog: dialog.accept("five"))
    page.get_by_role("button", name="Rename five").click()
    expect(page.get_by_role("link", name="five", exact=True)).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete five").click()
    expect(page.get_by_role("link", name="five")).to_be_hidden()
    assert hub.jobs("alice") == []


def test_a_start_leads_to_where_the_link_said(page: Page, hub: LiveHub) -> None:
    """Kept through the login, the start and the waiting page; not to what is another person's."""
    page.goto("/hub/spawn?profile=debug&next=lab/tree/course%20notes.ipynb")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill(hub.cluster.people["alice"].password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("radio", name="Ten minutes at once")).to_be_checked()
    # As the operator lets links start, a typed address does.
    page.goto("/hub/spawn?profile=debug&start=now&next=lab/tree/course%20notes.ipynb")
    page.wait_for_url(re.compile(r"/user/alice/lab/tree/course%20notes.ipynb"), timeout=START_SECONDS * 1000)
    page.goto("/hub/spawn?next=/user/bob/lab", wait_until="commit")
    assert page.url.startswith(f"{hub.url}/user/alice/")
    page.goto("/hub/spawn?next=/hub/user-redirect/lab/tree/b.ipynb", wait_until="commit")
    assert page.url.startswith(f"{hub.url}/user/alice/lab/tree/b.ipynb")


def test_many_who_look_cost_the_controller_one_survey(alice: Person, hub: LiveHub) -> None:
    """What pages show comes from one survey for all of them, and asks nothing for each person."""
    page = alice.page
    page.reload()
    asked = surveys(hub), estimates(hub)
    page.evaluate(MANY_LOOK)
    assert surveys(hub) - asked[0] <= 1
    assert estimates(hub) == asked[1]


MANY_LOOK = """async () => {
  const form = document.getElementById("spawn_form");
  const headers = { "X-XSRFToken": form.dataset.xsrf };
  const look = async () => (await fetch(form.dataset.free, { headers, cache: "no-store" })).json();
  const page = async () => (await fetch(window.location, { headers })).text();
  for (let some = 0; some < 10; some += 1) {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => (at < 4 ? page() : look())));
    if (!answers.at(-1).profiles.interactive.fits) throw new Error(JSON.stringify(answers.at(-1)));
  }
}"""


def test_without_javascript_everything_is_there_to_choose_and_start(alice: Person, hub: LiveHub) -> None:
    state = alice.page.context.storage_state()
    browser = alice.page.context.browser
    assert browser is not None
    plain = browser.new_context(base_url=hub.url, java_script_enabled=False, storage_state=state)
    try:
        page: Page = plain.new_page()
        page.goto("/hub/spawn?profile=interactive&cpus=2")
        expect(page.locator(".ch-free").first).to_contain_text("cores free")
        expect(page.locator("[name='interactive:cpus']")).to_have_value("2")
        for scripted in ("When could I have it?", "Copy link"):
            expect(page.get_by_role("button", name=scripted)).to_be_hidden()
        expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    finally:
        plain.close()
