"""What browsers are told to keep from doing with the hub's pages: framing them, running strangers' script."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from jinja2.ext import Extension

from clusterhub.site.schema import Site

HSTS_SECONDS = 182 * 24 * 3600
"""How long browsers speak nothing but HTTPS to a hub that they have been to."""

NONCE = "clusterhub_nonce"
"""The variable of templates that marks a page's own scripts."""

_SCRIPT = re.compile(r"<script(?=[\s>])")


def headers_of_every_answer(site: Site) -> Mapping[str, str]:
    """For pages, API, files and errors alike; what an operator set goes before."""
    url = urlsplit(site.hub.url)
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        # A page of a session that opens one of the hub's gets no hold of it. The proxy sees to it that theirs
        # have another policy (proxy/front.cjs).
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-site" if site.hub.subdomains else "same-origin",
    }
    # It is for the host as a whole: whatever else is served there, at other ports or paths, is not ours.
    if url.scheme == "https" and url.port is None and not url.path:
        below = "; includeSubDomains" if site.hub.subdomains else ""
        headers["Strict-Transport-Security"] = f"max-age={HSTS_SECONDS}{below}"
    return headers


def cookie_options(site: Site) -> dict[str, Any]:
    """For every cookie of the hub's, and of sessions."""
    return {"samesite": "Lax", "secure": urlsplit(site.hub.url).scheme == "https"}


def new_nonce() -> str:
    """What marks the scripts of one answer: nobody can have written it into the page before."""
    return secrets.token_urlsafe(16)


def page_policy(nonce: str, report_to: str, form_targets: Iterable[str] = ()) -> str:
    """The Content-Security-Policy of a page that was made from a template.

    ``form_targets`` are the origins that a form may lead to besides the hub's own: browsers apply this to
    where an answer redirects as well, so it takes the services and sessions that people log in to.
    """
    return "; ".join(
        [
            "default-src 'none'",
            # Not 'self': where there is one domain for all, that is whatever any session serves, too.
            f"script-src 'nonce-{nonce}' 'strict-dynamic'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            " ".join(["form-action 'self'", *sorted(set(form_targets))]),
            "base-uri 'none'",
            "frame-ancestors 'none'",
            f"report-uri {report_to}",
        ]
    )


def session_origins(subdomain_host: str) -> list[str]:
    """Where sessions are, if not at the hub's own origin."""
    parts = urlsplit(subdomain_host)
    return [f"{parts.scheme}://*.{parts.netloc}"] if parts.netloc else []


def origin_of(url: str | None) -> list[str]:
    """The origin of a URL; nothing where it has none of its own."""
    parts = urlsplit(url or "")
    return [f"{parts.scheme}://{parts.netloc}"] if parts.scheme and parts.netloc else []


class MarkedScripts(Extension):
    """Marks the scripts that stand in templates, ours, JupyterHub's and an operator's, with the page's nonce.

    They are marked in the template's text, before any value is put in: what a value brings along is not.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - Jinja's
        """Called by Jinja with each template's text."""
        return _SCRIPT.sub(f'<script nonce="{{{{ {NONCE} }}}}"', source)
