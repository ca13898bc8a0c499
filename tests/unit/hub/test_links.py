"""What a link to the start page may do: fill the form in, and lead into the person's own server.

Without the look for ".." in `within` a link leads out of the server; without that at the headers in
`may_start` any page in the web starts sessions.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import pytest
from tests.unit.spawner.conftest import SITE

from clusterhub.hub.links import links_of, may_start, query_of, within
from clusterhub.site.loading import parse
from clusterhub.spawner.options import parse_choice
from clusterhub.spawner.preset_store import Preset

SITE_READ = parse(SITE, Path("site.toml"))
MINE = "/user/alice/"


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("lab/tree/notes.ipynb", "/user/alice/lab/tree/notes.ipynb"),
        ("/user/alice/lab/tree/notes.ipynb", "/user/alice/lab/tree/notes.ipynb"),
        ("/hub/user-redirect/lab", "/user/alice/lab"),
        (
            "git-pull?repo=https%3A%2F%2Fgit.example.org%2Fcourse&urlpath=lab%2Ftree%2Fcourse",
            "/user/alice/git-pull?repo=https%3A%2F%2Fgit.example.org%2Fcourse&urlpath=lab%2Ftree%2Fcourse",
        ),
        ("lab/tree/My notes é.ipynb#end", "/user/alice/lab/tree/My%20notes%20%C3%A9.ipynb#end"),
        ("lab/tree/a..b.ipynb", "/user/alice/lab/tree/a..b.ipynb"),
    ],
)
def test_a_path_in_the_persons_own_server_is_led_to(asked: str, led_to: str) -> None:
    assert within(asked, MINE, "/hub/") == led_to


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "/",
        "/user/bob/lab",
        "/user/alicesother/lab",
        "/hub/admin",
        "/hub/logout",
        "//evil.example.org/",
        "https://evil.example.org/",
        "https:evil.example.org",
        "javascript:alert(1)",
        "\\\\evil.example.org",
        "lab\\..\\..\\bob",
        "lab/%5c..",
        "../bob/lab",
        "lab/../../bob/lab",
        "lab/%2e%2e/%2E./bob/lab",
        "/user/alice/../bob/lab",
        "/user/alice//../bob",
        "/user/alice//evil",
        "/hub/user-redirect/../admin",
        "/hub/user-redirect//evil.example.org",
        "lab/..;/bob",
        "lab\n",
        "lab\t/..",
        "l" * 5000,
    ],
)
def test_nothing_else_is(asked: str) -> None:
    assert within(asked, MINE, "/hub/") == ""


def test_a_named_server_and_a_host_of_ones_own_are_kept() -> None:
    own = "https://alice.jupyter.example.org/user/alice/big/"
    assert within("lab", own, "/hub/") == f"{own}lab"
    assert within("/user/alice/big/lab", own, "/hub/") == f"{own}lab"


HERE = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize(
    ("allowed", "asked", "headers", "starts"),
    [
        (True, ["now"], HERE, True),
        (True, ["now"], {**HERE, "Sec-Fetch-Site": "none"}, True),
        (False, ["now"], HERE, False),
        (True, None, HERE, False),
        (True, ["yes"], HERE, False),
        (True, ["now"], {**HERE, "Sec-Fetch-Site": "cross-site"}, False),
        (True, ["now"], {**HERE, "Sec-Fetch-Dest": "iframe"}, False),
        (True, ["now"], {**HERE, "Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"}, False),
        (True, ["now"], {}, False),
    ],
)
def test_a_link_starts_only_where_the_operator_lets_it_and_from_here(
    allowed: bool, asked: object, headers: dict[str, str], starts: bool
) -> None:
    assert may_start(allowed, headers, asked) is starts


def test_a_kept_choice_is_a_link_that_says_the_same() -> None:
    choice = parse_choice({"profile": "interactive", "cpus": 2, "memory": "8 GiB"}, SITE_READ, "bob", ())
    query = query_of(SITE_READ, choice.as_options())
    assert parse_choice(parse_qs(query), SITE_READ, "bob", ()) == choice


def test_of_a_profile_that_is_gone_only_the_name_is_left() -> None:
    assert links_of(SITE_READ, [Preset("old", {"profile": "was-there", "cpus": 1})]) == [("old", "")]
