"""Handlers that are made of JupyterHub's at start, and go by the names of those."""

from __future__ import annotations

from jupyterhub.handlers.base import BaseHandler


def named_as(made: type[BaseHandler], handler: type[BaseHandler]) -> type[BaseHandler]:
    """What was made of a handler, under the handler's name, as logs and errors show it."""
    made.__name__ = made.__qualname__ = handler.__name__
    made.__doc__, made.__module__ = handler.__doc__, handler.__module__
    return made
