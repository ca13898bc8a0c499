"""What is compressed, and what is not, as its length would tell a secret.

Without the condition on Sec-Fetch-Site the pages that another site asks for are compressed.
"""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from clusterhub.hub.compression import Compressed

LONG = b"x" * 5000


def encoding(kind: str, **asked: str) -> str | None:
    names = {name.replace("_", "-"): value for name, value in asked.items()}
    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", "/", "HTTP/1.1"),
        headers=HTTPHeaders({"Host": "hub", "Accept-Encoding": "gzip", **names}),
    )
    answered = HTTPHeaders({"Content-Type": kind, "Content-Length": str(len(LONG))})
    _, headers, sent = Compressed(request).transform_first_chunk(200, answered, LONG, finishing=True)
    assert headers["Content-Length"] == str(len(sent))
    return headers.get("Content-Encoding")


@pytest.mark.parametrize("kind", ["text/css", "text/javascript; charset=utf-8", "image/svg+xml"])
def test_files_are_compressed_whoever_asks(kind: str) -> None:
    assert encoding(kind) == "gzip"
    assert encoding(kind, Sec_Fetch_Site="cross-site") == "gzip"


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_page_is_compressed_that_the_person_asked_for(site: str) -> None:
    assert encoding("text/html; charset=UTF-8", Sec_Fetch_Site=site) == "gzip"


@pytest.mark.parametrize("asked", [{}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}])
def test_a_page_is_not_compressed_that_another_site_may_have_asked_for(asked: dict[str, str]) -> None:
    assert encoding("text/html", **asked) is None


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "image/png", ""])
def test_answers_of_the_api_streams_and_pictures_are_left_as_they_are(kind: str) -> None:
    assert encoding(kind, Sec_Fetch_Site="same-origin") is None


def test_who_takes_none_gets_none() -> None:
    assert encoding("text/css", Accept_Encoding="identity") is None
