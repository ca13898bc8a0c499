"""Whatever is sent to where jobs board is answered with a plain refusal."""

import pytest
from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError

from clusterhub.hub.api import MAX_BODY, parse_body, refuse_forwarded


@pytest.mark.parametrize(
    "body", [b"[" * 32000, b'{"a":' * 6000, b"", b"{", b"\xff\xfe\xfd", b"1" * 5000 + b"x"]
)
def test_what_is_not_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(HTTPError) as refused:
        parse_body(body)
    assert refused.value.status_code == 400


def test_what_is_too_long_is_not_read() -> None:
    with pytest.raises(HTTPError) as refused:
        parse_body(b" " * (MAX_BODY + 1))
    assert refused.value.status_code == 413
    assert parse_body(b'{"version": 1}') == {"version": 1}


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-for", "Forwarded"])
def test_what_came_through_the_proxy_is_refused(name: str) -> None:
    with pytest.raises(HTTPError, match="not through its proxy") as refused:
        refuse_forwarded(HTTPHeaders({name: "10.77.0.11"}))
    assert refused.value.status_code == 403
    refuse_forwarded(HTTPHeaders({"Content-Type": "application/json"}))
