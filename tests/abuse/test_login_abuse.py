"""Passwords are not to be guessed: many at one account, one at many, at once, or from an address made up.

The attackers sit on the nodes n1 and n2, which are an address each, and go through the proxy and past it. The
limits themselves are `tests/unit/hub/test_login_limits`; without `LoginLimits`, `Gates` or `Incoming`, these
tests fail. `tests/cluster/test_login` has what each refused account is told, and `test_one_time_codes` the
codes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from tests.abuse.attacker import INTERNAL, Attacker
from tests.cluster.test_audit_log import audited
from tests.cluster.test_login import MakeAccount, make_account
from tests.hub_fixture import LiveHub

from clusterhub.hub.login_gates import FROM_ONE_NETWORK
from clusterhub.hub.login_limits import FREE_TRIES
from clusterhub.hub.walkthrough import Walk

__all__ = ["make_account"]

NETWORK_TRIES = 12
"""Instead of a hundred, which would take PAM minutes."""

_GUESS = """\
import http.cookiejar, json, ssl, sys, threading, urllib.error, urllib.parse, urllib.request
base, guesses, at_once, headers = json.load(sys.stdin)
said, lock = [], threading.Lock()
def work():
    while True:
        with lock:
            if not guesses: return
            number, (name, password) = len(guesses), guesses.pop(0)
        jar = http.cookiejar.CookieJar()
        anybody = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar), Stay, anybody)
        def ask(data=None):
            own = {key: value.replace("NUMBER", str(number)) for key, value in headers.items()}
            try:
                return opener.open(urllib.request.Request(base + "/hub/login", data, own), timeout=60)
            except urllib.error.HTTPError as error:
                return error
        page = ask().read().decode()
        xsrf = next(cookie.value for cookie in jar if cookie.name == "_xsrf")
        fields = {"username": name, "password": password, "_xsrf": xsrf}
        answer = ask(urllib.parse.urlencode(fields).encode())
        with lock: said.append([name, answer.status, answer.headers.get("Retry-After")])
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None
threads = [threading.Thread(target=work) for _ in range(at_once)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(said))
"""
"""Fills the login page again and again, each time as somebody new."""

Guess = tuple[str, str]


@pytest.fixture(scope="module")
def hub_settings() -> str:
    """A network has fewer tries, which are soon used up, and not more after a while."""
    return (
        "from clusterhub.hub import login_limits\n"
        f"login_limits.NETWORK_TRIES = {NETWORK_TRIES}\n"
        "login_limits.NETWORK_PACE = 600.0\n"
    )


def guess(
    hub: LiveHub,
    node: str,
    guesses: Sequence[Guess],
    *,
    at_once: int = 1,
    url: str = INTERNAL,
    headers: dict[str, str] | None = None,
) -> Counter[tuple[str, int]]:
    """How often which answer came for which name."""
    done = hub.cluster.run(
        node,
        ["/usr/bin/python3", "-c", _GUESS],
        "carol",
        input=json.dumps([url, list(guesses), at_once, headers or {}]),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return Counter((name, status) for name, status, _ in json.loads(done.stdout))


def logins(since: int, **fields: object) -> list[dict[str, Any]]:
    """The audit log's lines about them."""
    return [line for line in audited(since) if line["event"] == "login" and line == {**line, **fields}]


def test_guesses_at_once_are_judged_one_by_one_and_no_forged_address_makes_more(hub: LiveHub) -> None:
    """Past the proxy every header is the attacker's own, and each guess comes with another address."""
    since = len(audited())
    forged = dict.fromkeys(("X-Forwarded-For", "X-Real-Ip", "Forwarded"), "203.0.113.NUMBER")
    guesses = [("alice", f"wrong-{number}") for number in range(2 * FREE_TRIES + 2)]
    said = guess(hub, "n1", guesses, at_once=len(guesses), headers=forged)
    assert said == {("alice", 403): FREE_TRIES, ("alice", 429): len(guesses) - FREE_TRIES}
    at_n1 = hub.cluster.addresses["n1"]
    judged = logins(since, outcome="refused", person="alice", why="wrong-password")
    too_often = logins(since, outcome="refused", person="alice", why="too-often-account")
    assert (len(judged), len(too_often)) == (FREE_TRIES, len(guesses) - FREE_TRIES)
    assert {line["address"] for line in judged + too_often} == {at_n1}
    assert not [line for line in audited(since) if "203.0.113" in line["address"]]


def test_with_a_shell_on_the_gateway_nobody_is_the_proxy(hub: LiveHub) -> None:
    """The hub believes its proxy, which is on the same machine; the kernel tells them apart."""
    since = len(audited())
    for url in ("https://127.0.0.1:8081", INTERNAL):
        said = guess(
            hub, "gateway", [("carol", "wrong")], url=url, headers={"X-Forwarded-For": "203.0.113.9"}
        )
        assert said == {("carol", 403): 1}
    addresses = {line["address"] for line in logins(since)}
    assert addresses == {"127.0.0.1", hub.cluster.addresses["gateway"]}


def test_through_the_proxy_a_forged_address_is_no_other_either(hub: LiveHub) -> None:
    since = len(audited())
    public = f"http://gateway:{hub.place.port}"
    forged = {"X-Forwarded-For": "203.0.113.NUMBER, 127.0.0.1", "X-Real-Ip": "203.0.113.NUMBER"}
    guesses = [("bob", f"wrong-{number}") for number in range(FREE_TRIES + 2)]
    said = guess(hub, "n1", guesses, url=public, headers=forged)
    assert said == {("bob", 403): FREE_TRIES, ("bob", 429): 2}
    assert {line["address"] for line in logins(since)} == {hub.cluster.addresses["n1"]}


async def test_one_password_for_many_names_stops_and_keeps_nobody_else_out(hub: LiveHub) -> None:
    """By the page and by the REST API: both are one limit."""
    since = len(audited())
    at_n2 = hub.cluster.addresses["n2"]
    names = [f"student{number}" for number in range(NETWORK_TRIES + 8)]
    said = guess(hub, "n2", [(name, "summer2026") for name in names], at_once=4)
    judged = sum(count for (_, status), count in said.items() if status == 403)
    # Those that are being judged when the last try is used up are not called back.
    assert NETWORK_TRIES <= judged < NETWORK_TRIES + FROM_ONE_NETWORK
    lines = logins(since, address=at_n2, outcome="refused")
    assert Counter(line["why"] for line in lines) == {
        "wrong-password": judged,
        "too-often-network": len(names) - judged,
    }
    assert {line["person"] for line in lines} == {""}, (
        "what was typed, and is nobody's name, may be a password"
    )
    # Not even the right password is let try from there now; from elsewhere it is.
    password = hub.cluster.people["alice"].password
    body = {"auth": {"username": "alice", "password": password}}
    asked = Attacker(hub, "carol", "n2").asks("api/users/alice/tokens", body)
    assert asked.status == 403
    [line] = logins(since, person="alice")
    assert (line["outcome"], line["why"], line["address"]) == ("refused", "too-often-network", at_n2)
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(password)
    assert logins(since, person="alice", outcome="done")


REFUSED = {
    "locked": (("/usr/sbin/usermod", "-L"), ("-m",), "wrong-password"),
    "expired": (("/usr/bin/chage", "-E", "0"), ("-m",), "expired-account"),
    "password expired": (("/usr/bin/chage", "-d", "0"), ("-m",), "expired-password"),
    "no shell": ((), ("-m", "-s", "/usr/sbin/nologin"), "shell"),
    "system account": ((), ("-m", "-r"), "wrong-password"),
}


@pytest.mark.parametrize(("then", "options", "why"), REFUSED.values(), ids=REFUSED)
async def test_an_account_that_may_not_log_in_is_refused_with_a_line(
    hub: LiveHub, make_account: MakeAccount, then: tuple[str, ...], options: tuple[str, ...], why: str
) -> None:
    since = len(audited())
    name = make_account(*options, then=then)
    async with Walk.begin(hub.url, name) as walk:
        page = await walk.http.get(f"{walk.url}/hub/login")
        await page.read()
        data = {"username": name, "password": "a-password-for-a-test", "_xsrf": walk._xsrf("/hub/")}
        async with walk.http.post(f"{walk.url}/hub/login", data=data) as answer:
            assert answer.status == 403
            request = answer.headers["X-Request-Id"]
    [line] = logins(since)
    assert (line["person"], line["outcome"], line["why"]) == (name, "refused", why)
    assert line["request"] == request
