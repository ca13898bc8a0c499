"""What the hub sends is compressed, except where its length would tell a secret.

A page holds the token against forged requests, and may repeat what its address says. Somebody who has a
person's browser ask for it again and again, and sees how long the encrypted answers are, could guess the
token letter by letter (BREACH, https://breachattack.com). So a page is compressed only where the browser says
that nobody but the hub's own pages, or the person's hand, asked for it; what the REST API answers is not.
"""

from __future__ import annotations

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import GZipContentEncoding

PUBLIC = ("text/css", "text/javascript", "application/javascript", "image/svg+xml")
"""Types of files that hold nobody's secrets."""
PAGE = "text/html"
OWN = ("same-origin", "none")
"""Values of Sec-Fetch-Site (https://www.w3.org/TR/fetch-metadata/) of what no other site has asked for."""


class Compressed(GZipContentEncoding):
    """tornado makes one for each request."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self._is_own = request.headers.get("Sec-Fetch-Site") in OWN

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """As in tornado, for files and for pages that nobody else has asked for."""
        kind = headers.get("Content-Type", "").partition(";")[0]
        if kind not in PUBLIC and not (kind == PAGE and self._is_own):
            self._gzipping = False
        if kind == PAGE:
            headers.add("Vary", "Sec-Fetch-Site")
        return super().transform_first_chunk(status_code, headers, chunk, finishing)
