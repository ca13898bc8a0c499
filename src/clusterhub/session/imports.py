"""What the session imports, when, and what it does without: most of a start is that.

What is left out is left out for this process and this start only. Each saving is measured, and guarded by a
test that tells when the packages do not need it any more: `docs/explanation/fast-start.md`.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

AHEAD = (
    "tornado.web",
    "tornado.httpserver",
    "tornado.websocket",
    "traitlets.config",
    "jinja2",
    "jsonschema",
    "dateutil.parser",
    "requests",
    "aiohttp",
    "zmq.asyncio",
    "prometheus_client",
    "websocket",
    "terminado",
    "httpx",
    "babel",
    "psutil",
    "concurrent.futures.thread",
    "sqlite3",
    "yaml",
)
"""Other people's packages that Jupyter imports in any case, in the order in which it does.

They are imported while the hub looks at the ticket. None is Jupyter's own or JupyterHub's: those read, while
they are imported, variables that come with the hub's answer, and directories that isolation chooses.
"""

GRAMMAR = "rfc3987_syntax"
"""jsonschema looks for it, to check international addresses in schemas, and does without where it is absent.
It builds a parser when imported: half of the start."""

SERVER_SIDE: dict[str, tuple[str, ...]] = {
    "sqlalchemy": ("func",),
    "sqlalchemy.exc": ("SQLAlchemyError",),
    "jupyterhub.orm": (),
    "jupyterhub.roles": (),
    "jupyterhub.handlers.pages": ("HealthCheckHandler",),
}
"""Modules of the hub's own that its code in a session imports, and never uses there -> what it takes of them
by name."""


def ahead() -> None:
    """Import what needs nothing of the hub's answer."""
    with absent(GRAMMAR):
        for name in AHEAD:
            # What is missing or broken is said by whoever needs it.
            with contextlib.suppress(Exception):
                importlib.import_module(name)


@contextlib.contextmanager
def absent(name: str) -> Iterator[None]:
    """While this holds, that module cannot be imported; who imports it afterwards gets it."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # how the import system spells it
    try:
        yield
    finally:
        del sys.modules[name]


class Deferred(types.ModuleType):
    """Stands in for a module until somebody uses it; then it is imported, and answers for itself."""

    def __init__(self, name: str, taken: tuple[str, ...]) -> None:
        """``taken`` are names that are taken of it and not used: each is a class of its own."""
        super().__init__(name)
        self.__dict__.update({each: type(each, (Exception,), {}) for each in taken})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks
            raise AttributeError(name)
        retract()
        return getattr(importlib.import_module(self.__name__), name)


def retract() -> None:
    """From now on whoever imports a module gets the module."""
    for name in [name for name, module in sys.modules.items() if type(module) is Deferred]:
        del sys.modules[name]


@contextlib.contextmanager
def client_side_only() -> Iterator[None]:
    """While this holds, JupyterHub is imported without its database and its pages."""
    for name, taken in SERVER_SIDE.items():
        if name not in sys.modules:
            sys.modules[name] = Deferred(name, taken)
    try:
        yield
    finally:
        retract()


def import_jupyter() -> Any:
    """Import all that a session is made of; returns JupyterHub's application. Raises ImportError."""
    with absent(GRAMMAR), client_side_only():
        from jupyterhub.singleuser.extension import JupyterHubSingleUser
    with contextlib.suppress(ImportError):  # it needs only Jupyter Server
        ask_no_yarn()
    return JupyterHubSingleUser


def ask_no_yarn() -> None:
    """JupyterLab starts Node when imported, to ask it for a registry that only a build would use."""
    with absent(GRAMMAR):
        from jupyterlab import commands
    if hasattr(commands, "_yarn_config"):
        commands._yarn_config = lambda _logger: {"yarn config": {}, "npm config": {}}
