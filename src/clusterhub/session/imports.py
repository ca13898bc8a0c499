"""What the session imports, when, and what it does without: most of a start is that.

What is left out is left out for this process and this start only. Each saving is measured, and guarded by a
test that tells when the packages do not need it any more: `docs/explanation/fast-start.md`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import os
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
    "aiohttp",
    "zmq.asyncio",
    "prometheus_client",
    "websocket",
    "terminado",
    "httpx",
    "babel",
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


LATER = ("requests",)
"""What Jupyter's modules import and do not use unless somebody asks for it."""


def ahead() -> None:
    """Import what needs nothing of the hub's answer."""
    gc.disable()  # until `settle`: nearly all that imports make stays
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

    def __init__(self, name: str, taken: tuple[str, ...] = (), **known: Any) -> None:
        """``taken`` are names that are taken of it and not used: each is a class of its own.

        ``known`` is what it can answer itself.
        """
        super().__init__(name)
        self.__dict__.update({each: type(each, (Exception,), {}) for each in taken}, **known)

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
    for name in LATER:
        defer(name)
    stand_in_for_ipython()
    with contextlib.suppress(ImportError):  # it needs only Jupyter Server
        ask_no_yarn()
    return JupyterHubSingleUser


def defer(name: str) -> None:
    """Have a package imported when it is used, or asked for by name. Its modules can be imported as ever."""
    spec = importlib.util.find_spec(name) if name not in sys.modules else None
    if spec is not None:
        path = spec.submodule_search_locations
        sys.modules[name] = Deferred(name, __spec__=spec, __path__=path, __package__=name)


def ask_no_yarn() -> None:
    """JupyterLab starts Node when imported, to ask it for a registry that only a build would use."""
    with absent(GRAMMAR):
        from jupyterlab import commands
    if hasattr(commands, "_yarn_config"):
        commands._yarn_config = lambda _logger: {"yarn config": {}, "npm config": {}}


def stand_in_for_ipython() -> None:
    """Jupyter imports all of IPython to learn where a directory of its is, in which old kernels may lie."""
    old = os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "ipython")
    if "IPython.paths" not in sys.modules and not os.path.isdir(old):
        sys.modules["IPython.paths"] = Deferred("IPython.paths", get_ipython_dir=ipython_directory)


def ipython_directory() -> str:
    """Where IPython keeps what is the person's; see `jupyter_core.migrate.get_ipython_dir`."""
    return os.path.expanduser(os.environ.get("IPYTHONDIR") or "~/.ipython")


def settle() -> None:
    """The start is over. What it has made stays: whoever looks for garbage need not look there."""
    gc.freeze()
    gc.enable()
