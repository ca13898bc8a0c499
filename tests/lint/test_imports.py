"""Who may import whom. A room that reaches into another one it should not know is found here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"


@dataclass(frozen=True)
class Import:
    """One imported module, with its full name, and whether it is imported when its file is."""

    module: str
    line: int
    at_top: bool


def imports_of(text: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """Every import in a file: also those inside functions and under TYPE_CHECKING."""

    def walk(node: ast.AST, *, at_top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child.lineno, at_top)
            elif isinstance(child, ast.ImportFrom):
                base = absolute_name(child, module, is_package=is_package)
                for alias in child.names:
                    # ``from a import b`` may import the module a.b: the rules go by prefix, so the longer
                    # name serves for both.
                    yield Import(f"{base}.{alias.name}", child.lineno, at_top)
            else:
                functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
                inside = isinstance(child, functions) or is_for_type_checkers(child)
                yield from walk(child, at_top=at_top and not inside)

    yield from walk(ast.parse(text), at_top=True)


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def absolute_name(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if node.level == 0:
        return node.module or ""
    parts = module.split(".")
    keep = len(parts) - node.level + (1 if is_package else 0)
    return ".".join([*parts[:keep], *([node.module] if node.module else [])])


def within(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def is_standard_library(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def is_ours(module: str) -> bool:
    return within(module, "clusterhub")


JUPYTER_SERVER = ("jupyter_server", "jupyterlab", "jupyterlab_server", "jupyter_core", "notebook")
HUB_LIBRARIES = ("jupyterhub", "tornado", "traitlets", "jupyter_client", "sqlalchemy", *JUPYTER_SERVER)
SESSION_LIBRARIES = ("jupyterhub", "nbformat", "tornado", "traitlets", *JUPYTER_SERVER)
NOTEBOOK_LIBRARIES = ("jupyter_client", "nbclient", "nbformat", *JUPYTER_SERVER)

# What a room may import of ours, besides itself; a room that is not named here may import all.
ROOMS = {
    "clusterhub.errors": (),
    "clusterhub.languages": ("clusterhub.errors",),
    "clusterhub.audit": (),
    "clusterhub.site": (
        "clusterhub.errors",
        "clusterhub.languages",
    ),
    "clusterhub.schedulers": (
        "clusterhub.errors",
        "clusterhub.languages",
    ),
    "clusterhub.privileged": (
        "clusterhub.errors",
        "clusterhub.languages",
        "clusterhub.schedulers",
        "clusterhub.audit",
    ),
    "clusterhub.session": (),
    "clusterhub.environments": (
        "clusterhub.errors",
        "clusterhub.languages",
        "clusterhub.site",
        "clusterhub.schedulers",
    ),
    "clusterhub.tls": (
        "clusterhub.errors",
        "clusterhub.languages",
    ),
    "clusterhub.spawner": (
        "clusterhub.errors",
        "clusterhub.languages",
        "clusterhub.audit",
        "clusterhub.site",
        "clusterhub.schedulers",
        "clusterhub.privileged",
        "clusterhub.session",
        "clusterhub.tls",
    ),
}
WITHOUT_JUPYTER = (
    "clusterhub.errors",
    "clusterhub.languages",
    "clusterhub.audit",
    "clusterhub.site",
    "clusterhub.schedulers",
    "clusterhub.privileged",
    "clusterhub.environments",
    "clusterhub.tls",
)
COMMANDS = ("clusterhub.cli", "clusterhub.cli_environment", "clusterhub.cli_options")
PROBE = "clusterhub.environments.probe"
LAUNCHER = "clusterhub.session.launcher"
HELPER = "clusterhub.privileged.helper"
ENGINE = "clusterhub.schedulers.local_engine"
ON_THEIR_OWN = (HELPER, ENGINE, "clusterhub.session", PROBE)
"""Standard library only: what is copied to another machine, what root runs with nothing else in reach, and
what starts every few seconds."""


def complaints(text: str, module: str, *, is_package: bool = False) -> list[str]:
    """What is wrong with a module's imports, one line each."""
    found = []
    for item in imports_of(text, module, is_package=is_package):
        problem = problem_with(module, item)
        if problem:
            found.append(f"{module}, line {item.line}: imports {item.module}; {problem}")
    return found


def problem_with(module: str, item: Import) -> str:
    if within(module, *ON_THEIR_OWN) and not is_package_itself(module):
        return problem_on_its_own(module, item)
    if module in COMMANDS and item.at_top:
        light = within(item.module, "click", "clusterhub.errors", "clusterhub.__version__", *COMMANDS)
        quick = light or is_standard_library(item.module)
        return "" if quick else "commands import inside, so that --help is instant"
    if within(module, *WITHOUT_JUPYTER) and within(item.module, *HUB_LIBRARIES):
        return "this room knows nothing of JupyterHub"
    room = next((name for name in ROOMS if within(module, name)), None)
    if room and is_ours(item.module) and not is_version(item.module):
        allowed = (room, *ROOMS[room])
        if not within(item.module, *allowed):
            return f"of ours this room may import {', '.join(ROOMS[room]) or 'nothing'}"
    return ""


def problem_on_its_own(module: str, item: Import) -> str:
    if is_standard_library(item.module):
        return ""
    if within(module, "clusterhub.session") and within(item.module, *SESSION_LIBRARIES):
        return "" if not item.at_top else "Jupyter is imported inside functions, once the port is held"
    if module == PROBE and within(item.module, *NOTEBOOK_LIBRARIES):
        return "" if not item.at_top else "what is looked at is imported inside functions"
    # The modules of a room travel together, the launcher's text alone; what stays in its room may know it.
    (together,) = (room for room in ON_THEIR_OWN if within(module, room))
    if module != LAUNCHER and within(item.module, together):
        return ""
    return "it has the standard library and its own room only"


def is_package_itself(module: str) -> bool:
    return module == "clusterhub.session"


def is_version(module: str) -> bool:
    return module == "clusterhub.__version__"


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted((SOURCE / "clusterhub").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_a_module_imports_only_what_its_room_may_know(module: str, path: Path) -> None:
    found = complaints(path.read_text(), module, is_package=path.name == "__init__.py")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("clusterhub.site.loading", "import clusterhub.schedulers.slurm"),
        ("clusterhub.site.loading", "from clusterhub import schedulers"),
        ("clusterhub.site.loading", "from .. import spawner"),
        ("clusterhub.site.loading", "def f():\n    from tornado import web"),
        ("clusterhub.schedulers.slurm", "from clusterhub.site.schema import Site"),
        ("clusterhub.schedulers.watch", "if TYPE_CHECKING:\n    from jupyterhub.spawner import Spawner"),
        ("clusterhub.spawner.options", "from clusterhub.hub import configure"),
        ("clusterhub.privileged.helper", "from clusterhub.errors import ClusterhubError"),
        ("clusterhub.privileged.helper.pam", "def f():\n    import pamela"),
        ("clusterhub.privileged.helper.pam", "from clusterhub.privileged import broker"),
        ("clusterhub.privileged.helper.pam", "from clusterhub.schedulers import model"),
        ("clusterhub.privileged.helper.pam", "from clusterhub.session import launcher"),
        ("clusterhub.schedulers.local_engine.__main__", "import click"),
        ("clusterhub.schedulers.local_engine.__main__", "from clusterhub.schedulers import model"),
        ("clusterhub.schedulers.local_engine.__main__", "from clusterhub.errors import ClusterhubError"),
        ("clusterhub.session.launcher", "import tornado.web"),
        ("clusterhub.session.launcher", "from clusterhub import errors"),
        ("clusterhub.session.launcher", "def f():\n    import numpy"),
        ("clusterhub.session.launcher", "from clusterhub.session import deadline"),
        ("clusterhub.environments.building", "from clusterhub.spawner.clusters import scheduler_for"),
        ("clusterhub.environments.checking", "def f():\n    from clusterhub.hub import configure"),
        ("clusterhub.environments.checking", "import jupyterlab"),
        ("clusterhub.environments.probe", "import jupyterlab"),
        ("clusterhub.environments.probe", "from clusterhub.errors import ClusterhubError"),
        ("clusterhub.cli", "from clusterhub.site.loading import load"),
        ("clusterhub.cli_environment", "from clusterhub.site.loading import load"),
        ("clusterhub.cli", "import jupyterhub"),
    ],
)
def test_a_forbidden_import_is_found(module: str, text: str) -> None:
    assert complaints(text, module)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("clusterhub.site.loading", "import tomllib\nfrom clusterhub.errors import ClusterhubError"),
        ("clusterhub.spawner.options", "from clusterhub.site.schema import Site\nimport jupyterhub"),
        (
            "clusterhub.session.launcher",
            "import socket\ndef f():\n    from jupyterhub.singleuser import main",
        ),
        (
            "clusterhub.hub.configure",
            "from clusterhub.site import schema\nfrom clusterhub.spawner import spawner",
        ),
        (
            "clusterhub.privileged.helper.pam",
            "import ctypes\nfrom clusterhub.privileged.helper.refusal import Refused",
        ),
        (
            "clusterhub.schedulers.local_engine.room",
            "import os\nfrom clusterhub.schedulers.local_engine.records import Record",
        ),
        ("clusterhub.cli", "import click\ndef f():\n    from clusterhub.site.loading import load"),
    ],
)
def test_a_permitted_import_is_not_reported(module: str, text: str) -> None:
    assert complaints(text, module) == []
