"""Who needs more than a password is asked for it, by real PAM modules, and comes in with both.

Without `Answers`, the second question is answered by nobody, and people with codes cannot log in.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests import pam_services
from tests.hub_fixture import LiveHub
from tests.hub_site import DIRECTORY

from clusterhub.hub.walkthrough import Walk
from clusterhub.privileged.archive import ISOLATED, helper_archive

NAME, PASSWORD, QUESTION = pam_services.PERSON, pam_services.PASSWORD, pam_services.QUESTION

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ada(hub: LiveHub) -> Iterator[str]:  # noqa: ARG001 - the services are there while the hub is
    """Somebody whose account needs a code."""
    with pam_services.person_with_codes(DIRECTORY) as name:
        yield name


async def post(walk: Walk, **fields: str) -> tuple[int, str]:
    """Sends the login form; the status and the page."""
    page = await walk.http.get(f"{walk.url}/hub/login")
    await page.read()
    data = {"username": walk.person, "_xsrf": walk._xsrf("/hub/"), **fields}
    async with walk.http.post(f"{walk.url}/hub/login", data=data, allow_redirects=False) as answer:
        return answer.status, html.unescape(await answer.text())


def step_in(page: str) -> str:
    found = re.search(r'name="step" value="([^"]+)"', page)
    assert found, page
    return found[1]


async def test_the_page_asks_for_the_code_and_both_together_let_in(hub: LiveHub, ada: str) -> None:
    async with Walk.begin(hub.url, ada) as walk:
        status, page = await post(walk, password=PASSWORD)
        assert (status, QUESTION in page) == (200, True)
        assert 'id="password_input"' not in page
        assert PASSWORD not in page
        status, page = await post(walk, step=step_in(page), answer0=pam_services.code(0))
        assert status == 302, page
        assert (await walk.model())["name"] == ada
    assert PASSWORD not in hub.log()


async def test_a_wrong_code_is_refused_and_so_is_a_step_that_was_used(hub: LiveHub, ada: str) -> None:
    async with Walk.begin(hub.url, ada) as walk:
        _, page = await post(walk, password=PASSWORD)
        step = step_in(page)
        status, page = await post(walk, step=step, answer0="000000")
        assert (status, "User name, password or code is wrong" in page) == (403, True)
        status, page = await post(walk, step=step, answer0=pam_services.code(0))
        assert (status, "took longer than a minute" in page) == (403, True)


async def test_a_wrong_password_is_refused_before_a_code_is_asked_for(hub: LiveHub, ada: str) -> None:
    async with Walk.begin(hub.url, ada) as walk:
        status, page = await post(walk, password="wrong")
    assert (status, "User name or password is wrong" in page, QUESTION in page) == (403, True, False)


async def test_a_step_is_worth_nothing_to_another_name(hub: LiveHub, ada: str) -> None:
    async with Walk.begin(hub.url, ada) as walk:
        _, page = await post(walk, password=PASSWORD)
        status, _ = await post(walk, step=step_in(page), username="alice", answer0=pam_services.code(0))
    assert status == 403


@pytest.fixture
def ask(hub: LiveHub) -> Iterator[Ask]:
    """Asks the helper, as root on the gateway, with another service."""
    program = hub.cluster.shared / "codes-test.zip"
    program.write_bytes(helper_archive())
    configuration = hub.cluster.shared / "codes-test.json"

    def send(service: str, *answers: str, password: str = PASSWORD) -> dict[str, Any]:
        told = {"programs": {}, "session_directory": "/nowhere", "pam_service": service}
        configuration.write_text(json.dumps(told))
        configuration.chmod(0o600)
        request = {"verb": "authenticate", "person": NAME, "password": password, "answers": list(answers)}
        done = hub.cluster.run(
            "gateway",
            ["/usr/bin/python3", ISOLATED, str(program), "--configuration", str(configuration)],
            input=json.dumps(request),
        )
        assert done.returncode == 0, done.stderr
        reply: dict[str, Any] = json.loads(done.stdout)
        return reply

    yield send
    program.unlink()
    configuration.unlink()


def test_a_code_that_is_asked_for_first_gets_no_password(ada: str, ask: Ask) -> None:  # noqa: ARG001 - she is there
    reply = ask(pam_services.CODE_FIRST)
    assert reply["reason"] == "more-questions"
    assert [question["text"].strip() for question in reply["questions"]] == [QUESTION]
    assert ask(pam_services.CODE_FIRST, pam_services.code(0))["ok"] is True
    assert ask(pam_services.CODE_FIRST, pam_services.code(0))["reason"] == "wrong-password"
    assert ask(pam_services.CODE_FIRST, pam_services.code(1), password="wrong")["reason"] == "wrong-password"


def test_an_account_that_pam_has_locked_is_refused_in_its_words_and_asking_locks_none(
    ada: str,  # noqa: ARG001 - as above
    ask: Ask,
) -> None:
    for _ in range(5):
        assert ask(pam_services.COUNTING)["reason"] == "more-questions"
    assert ask(pam_services.COUNTING, pam_services.code(0))["ok"] is True
    for n in range(3):
        refused = ask(pam_services.COUNTING, pam_services.code(n + 1), password="wrong")
        assert refused["reason"] == "wrong-password"
    reply = ask(pam_services.COUNTING, pam_services.code(4))
    assert (reply["ok"], reply["reason"]) == (False, "wrong-password")
    assert "locked" in " ".join(reply["messages"])


async def test_guesses_are_slowed_and_the_page_says_for_how_long(hub: LiveHub, ada: str) -> None:
    """Without the limit, the fourth wrong password is judged like the third."""
    async with Walk.begin(hub.url, ada) as walk:
        guesses = 0
        while (await post(walk, password="wrong"))[0] == 403:
            guesses += 1
        assert guesses <= 3
        data = {"username": ada, "password": PASSWORD, "_xsrf": walk._xsrf("/hub/")}
        # A forged address is no other one: the proxy's word counts, not the person's.
        forged = {"X-Forwarded-For": "203.0.113.9", "X-Real-Ip": "203.0.113.9"}
        async with walk.http.post(f"{walk.url}/hub/login", data=data, headers=forged) as answer:
            page = html.unescape(await answer.text())
            assert answer.status == 429
            assert re.search(
                r"too many wrong passwords for this account from where you are\. "
                r"Try again in \d+ seconds?\.",
                page,
            ), page
            wait = int(answer.headers["Retry-After"])
        assert 1 <= wait <= 20
        await asyncio.sleep(wait)
        assert QUESTION in (await post(walk, password=PASSWORD))[1]
