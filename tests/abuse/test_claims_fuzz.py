"""What jobs send the hub, made hostile: refused in words, or an endpoint and nothing more.

What is let through is followed to where it would do harm: the address that the proxy is given.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.abuse.fuzz_outcomes import assert_in_words, report
from tests.abuse.hostile import FRAGMENTS, hostile_inside, hostile_value
from tests.unit.spawner.claims import CLAIM
from tornado.web import HTTPError

from clusterhub.hub.api import parse_body
from clusterhub.spawner import boarding
from clusterhub.spawner.boarding import Boarding, Claim, Later, Ready, Refused, parse_claim, parse_ready
from clusterhub.spawner.launch import endpoint_url
from clusterhub.spawner.reach import node_of

CALLS = int(os.environ.get("CLUSTERHUB_FUZZ_CALLS", "50000"))
SEED = int(os.environ.get("CLUSTERHUB_FUZZ_SEED", "1"))

ADDRESSES = (
    *(
        "10.0.0.1",
        "fe80::1%eth0",
        "::ffff:127.0.0.1",
        "2001:db8::1",
        "0.0.0.0",  # noqa: S104 - meant
        "::",
        "224.0.0.1",
        "127.1",
        "1",
    ),
    *("010.0.0.1", "10.0.0.1/24", "10.0.0.1:80", "[::1]", "n1", "2001:db8::1%a/../b", "10.0.0.1\n", "0x7f.1"),
)


class Hostile:
    """An endless supply, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - the same inputs for the same seed

    def claim(self) -> Any:
        random = self.random
        claim: Any = dict(CLAIM)
        if random.random() < 0.3:
            claim["address"] = random.choice(ADDRESSES)
        for _ in range(random.choice((0, 1, 1, 2))):
            if not isinstance(claim, dict):
                return claim
            key = random.choice((*CLAIM, "x"))
            match random.randrange(4):
                case 0 | 1:
                    claim = hostile_inside(random, claim)
                case 2:
                    claim[key] = hostile_value(random)
                case _:
                    claim.pop(key, None)
        return claim

    def body(self) -> bytes:
        random = self.random
        text = json.dumps(self.claim()).encode()
        place = random.randrange(len(text) + 1)
        match random.randrange(6):
            case 0:
                return random.randbytes(random.randrange(50))
            case 1:
                return text[:place] + random.choice(FRAGMENTS).encode("utf-8", "surrogatepass") + text[place:]
            case 2:
                return text.decode().encode(random.choice(("utf-16", "utf-32", "utf-8-sig", "latin-1")))
            case 3:
                return text[:place] + random.choice((b"[", b"{", b'{"a":')) * random.randrange(20000)
            case 4:
                return text[:place] + b"9" * random.choice((10, 5000)) + text[place:]
            case _:
                return text[:place]


@pytest.mark.parametrize("kind", [Claim, Ready])
def test_whatever_a_job_says_is_refused_in_words_or_an_endpoint(
    kind: type, record_property: Callable[[str, object], None]
) -> None:
    report(claims(kind), record_property)


def claims(kind: type) -> Counter[str]:
    made = Hostile(SEED)
    outcomes = Counter[str]()
    for _ in range(CALLS):
        body = made.claim()
        if kind is Ready and isinstance(body, dict):
            body = {key: value for key, value in body.items() if key not in ("claim", "ticket")}
        try:
            said = parse_claim(body) if kind is Claim else parse_ready(body)
        except Refused as error:
            assert_in_words(error)
            outcomes["refused"] += 1
            continue
        outcomes["taken"] += 1
        assert type(said) is kind
        assert_endpoint(said)
        assert_unexpected(body, kind)
    return outcomes


def assert_unexpected(body: Any, kind: type) -> None:
    """A hub that expects nobody says so, in as few words."""
    boarding = Boarding()
    asked = boarding.claim(body, "10.0.0.1") if kind is Claim else boarding.ready(body, "x", "10.0.0.1")
    with pytest.raises(Later) as later:
        asked.send(None)
    assert_in_words(later.value)


def assert_endpoint(said: Claim | Ready) -> None:
    """Texts that are texts, numbers that are numbers, and a URL that is that address and nothing more."""
    for key, value in asdict(said).items():
        wanted = {"version": int, "restart": int, "port": int, "ticket": dict}.get(key, str)
        assert type(value) is wanted, key
        if wanted is str:
            assert value.isascii(), key
            assert value.isprintable(), key
    for tls in (True, False):
        url = urlsplit(endpoint_url(said, tls=tls))
        assert (url.path, url.query, url.fragment, url.username) == ("", "", "", None)
        assert url.scheme == ("https" if tls else "http")
        assert url.port == said.port
        address = ipaddress.ip_address(node_of(url.geturl()))
        assert address == ipaddress.ip_address(said.address)
    assert not address.is_multicast
    assert not address.is_unspecified


def test_whatever_bytes_a_job_sends_are_json_or_a_bad_request(
    record_property: Callable[[str, object], None],
) -> None:
    made = Hostile(SEED)
    outcomes = Counter[str]()
    for _ in range(CALLS // 2):
        body = made.body()
        try:
            parse_body(body)
            outcomes["json"] += 1
        except HTTPError as error:
            outcomes[f"{error.status_code} {error.log_message}"] += 1
    assert set(outcomes) == {
        "json",
        "400 A request of a job is a JSON object.",
        "413 A request of a job is a small JSON object.",
    }
    report(outcomes, record_property)


HOLES = {
    "texts are any": ("_is_plain_text", lambda value, _: isinstance(value, str)),
    "addresses are any": ("_check_endpoint", lambda _: None),
}


@pytest.mark.parametrize(("name", "instead"), HOLES.values(), ids=HOLES)
def test_a_planted_hole_is_seen(monkeypatch: pytest.MonkeyPatch, name: str, instead: Any) -> None:
    """With one check taken out at a time, the same properties fail."""
    monkeypatch.setattr(boarding, name, instead)
    with pytest.raises((AssertionError, ValueError)):  # the latter: no URL
        claims(Claim)
