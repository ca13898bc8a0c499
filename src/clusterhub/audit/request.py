"""The request that something is done for: its id goes along into log lines, audit lines and the helper."""

from __future__ import annotations

import logging
import secrets
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """An HTTP request to the hub, or none: what the hub does of itself."""

    id: str = ""
    """16 hexadecimal digits."""
    address: str = ""
    """The IP address it came from, as far as that can be trusted."""


NONE = Request()
CURRENT: ContextVar[Request] = ContextVar("clusterhub-request", default=NONE)
"""What a task does later, it does for the request in which it was begun: contexts are inherited."""


def begin(address: str) -> Request:
    """From now on this context works for a new request."""
    request = Request(secrets.token_hex(8), address)
    CURRENT.set(request)
    return request


def tell_in_log_lines() -> None:
    """Every record of `logging` has an attribute ``request`` from now on: " ID", or nothing."""
    make = logging.getLogRecordFactory()

    def make_with_request(*arguments: object, **keywords: object) -> logging.LogRecord:
        record = make(*arguments, **keywords)
        request = CURRENT.get()
        record.request = f" {request.id}" if request.id else ""
        return record

    logging.setLogRecordFactory(make_with_request)
