"""What browsers are told of the hub's pages. With a line of it taken out, the test of that line fails."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import DictLoader, Environment
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from clusterhub.hub.incoming import incoming
from clusterhub.hub.page_policy import (
    NONCE,
    MarkedScripts,
    cookie_options,
    headers_of_every_answer,
    new_nonce,
    origin_of,
    page_policy,
    session_origins,
)
from clusterhub.site.loading import parse
from clusterhub.site.schema import Site


def site(url: str, more: str = "") -> Site:
    return parse(
        f'[hub]\nurl = "{url}"\n{more}\n[cluster.main]\nscheduler = "slurm"\n'
        '[environment]\npath = "/opt/environments/current"\n[[profile]]\nname = "small"\n',
        Path("/etc/clusterhub/site.toml"),
    )


@pytest.mark.parametrize(
    ("url", "more", "hsts"),
    [
        ("https://hub.example.org", "", r"max-age=\d{8}"),
        ("https://hub.example.org", "subdomains = true", r"max-age=\d{8}; includeSubDomains"),
        ("https://hub.example.org:8443", "", ""),  # what is served at port 80 is somebody else's
        ("https://www.example.org/jupyter", "", ""),  # and so is what is served beside us
        ("http://127.0.0.1:8000", "", ""),
    ],
)
def test_browsers_keep_to_https_where_the_host_is_the_hubs_alone(url: str, more: str, hsts: str) -> None:
    said = headers_of_every_answer(site(url, more)).get("Strict-Transport-Security", "")
    assert re.fullmatch(hsts, said)


def test_cookies_go_over_https_only_and_not_along_with_other_sites_requests() -> None:
    assert cookie_options(site("https://hub.example.org")) == {"samesite": "Lax", "secure": True}
    assert cookie_options(site("http://127.0.0.1:8000")) == {"samesite": "Lax", "secure": False}


def test_every_answer_has_the_headers_and_what_was_set_before_stays() -> None:
    always = headers_of_every_answer(site("https://hub.example.org"))
    stand_in: Any = SimpleNamespace(context=SimpleNamespace(), stream=None)
    line = RequestStartLine("GET", "/", "HTTP/1.1")
    request = HTTPServerRequest(start_line=line, headers=HTTPHeaders({"Host": "hub"}), connection=stand_in)
    headers = HTTPHeaders({"Referrer-Policy": "no-referrer"})
    _, answered, _ = incoming((), always)(request).transform_first_chunk(404, headers, b"", True)
    assert answered["Referrer-Policy"] == "no-referrer"
    assert {name: answered[name] for name in always} == {**always, "Referrer-Policy": "no-referrer"}


def test_the_scripts_of_a_template_are_marked_and_those_that_a_value_brings_are_not() -> None:
    templates = {"page": '<script src="a.js"></script><script\ntype="module">1</script>{{ value | safe }}'}
    environment = Environment(loader=DictLoader(templates), autoescape=True, extensions=[MarkedScripts])
    text = environment.get_template("page").render({NONCE: "abc", "value": "<script>2</script>"})
    assert text == (
        '<script nonce="abc" src="a.js"></script><script nonce="abc"\ntype="module">1</script>'
        "<script>2</script>"
    )


def test_a_page_runs_only_marked_scripts_is_framed_nowhere_and_sends_forms_home() -> None:
    policy = dict(each.split(" ", 1) for each in page_policy("abc", "/hub/security/csp-report").split("; "))
    assert policy["script-src"] == "'nonce-abc' 'strict-dynamic'"
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert new_nonce() != new_nonce()


def test_forms_may_lead_to_sessions_and_services_that_people_log_in_to() -> None:
    targets = [
        *session_origins("https://hub.example.org:8443"),
        *session_origins(""),
        *origin_of("https://grafana.example.org/login?x=1"),
        *origin_of("/services/here/oauth_callback"),
        *origin_of(None),
    ]
    assert targets == ["https://*.hub.example.org:8443", "https://grafana.example.org"]
    assert f"form-action 'self' {' '.join(sorted(targets))};" in page_policy("a", "/r", targets)
