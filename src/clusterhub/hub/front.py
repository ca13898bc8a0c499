"""What browsers connect to: HTTPS in the proxy, with a certificate that is renewed while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import resources
from urllib.parse import urlsplit

from clusterhub.errors import ClusterhubError
from clusterhub.hub.certificate import Front, check_front, front_of
from clusterhub.site.derived import HTTPS_PORT
from clusterhub.site.schema import Site

PREFIX_VARIABLE = "CLUSTERHUB_PREFIX"
"""In the proxy's environment: the path of the public URL, with a slash at both ends."""

LOOK_PAUSE = 2.0
"""Seconds between two looks whether the certificate's files have changed: two small files, read."""

REMINDER = 12 * 3600.0
"""Seconds between two lines about a certificate that is about to expire."""

CIPHERS = ":".join(
    [
        # Of TLS 1.3; where none is named, Node offers TLS 1.2 at most.
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        # Of TLS 1.2: forward secrecy and authenticated encryption, as in Mozilla's "intermediate" (RFC 9325).
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ]
)
"""Older versions of TLS than 1.2 have none of these. The proxy's own list has CBC, and no TLS 1.3."""


def front_node_options() -> list[str]:
    """What Node is told before the proxy's own script; see ``proxy/front.cjs``."""
    return ["--require", str(resources.files("clusterhub.hub") / "proxy" / "front.cjs")]


def front_arguments(site: Site) -> list[str]:
    """What the proxy is told about HTTPS and about host names."""
    hub = site.hub
    arguments = ["--host-routing"] if hub.subdomains else []
    if hub.certificate is not None:
        arguments += [
            f"--ssl-cert={hub.certificate}",
            f"--ssl-key={hub.certificate_key}",
            f"--ssl-ciphers={CIPHERS}",
        ]
    if hub.redirect_port is not None:
        arguments += [
            f"--redirect-port={hub.redirect_port}",
            f"--redirect-to={urlsplit(hub.url).port or HTTPS_PORT}",
        ]
    return arguments


async def watch_certificate(site: Site, say: Callable[[str], None], take_up: Callable[[], None]) -> None:
    """Has a renewed certificate taken up, once certificate and key fit; tells of one that runs out.

    Returns at once where the site has none. What cannot be used is said, and the former one goes on.
    """
    if site.hub.certificate is None:
        return
    loop = asyncio.get_running_loop()
    now: Front | None = None
    seen: Front | None = None
    told, remind_at = "", 0.0
    while True:
        try:
            now = front_of(site)
            problem, warnings = "", check_front(site, now) if now is not None else ()
        except ClusterhubError as error:
            problem, warnings = str(error), ()
        if not problem and now != seen:
            take_up()  # the first time as well: the files may have changed since the proxy read them
            if seen is not None:
                say("The proxy has taken up a renewed certificate. Nothing was interrupted.")
            seen = now
        if problem and problem != told:
            say(f"The certificate cannot be used now; the proxy goes on with the one that it has. {problem}")
        told = problem
        if warnings and loop.time() >= remind_at:
            remind_at = loop.time() + REMINDER
            for warning in warnings:
                say(warning)
        await asyncio.sleep(LOOK_PAUSE)
