"""Paths that Jupyter looks up again and again in a start, and that do not change in it: looked up once.

On a file system that nodes share each look is a round trip, also where the environment is packed: home
directories are not. Seen with jupyter_core 5.9 and jupyter_lsp 2.3: 68 looks for the home directory, 26 for
who owns the environment, 36 for modules of Node where there are none, 14 at each directory on the way to the
environment.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
import posix
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

OF_JUPYTER = ("get_home_dir", "prefer_environment_over_user")
"""Functions of jupyter_core.paths without arguments, by which its others find their answers."""


def look_once() -> None:
    """To be called before anything else of Jupyter is loaded. Raises ImportError where there is none."""
    from jupyter_core import paths

    for name in OF_JUPYTER:
        setattr(paths, name, functools.lru_cache(maxsize=None)(getattr(paths, name)))
    if importlib.util.find_spec("notebook_shim") is not None:  # which imports it in any case
        with contextlib.suppress(ImportError):
            of_ipython: Any = importlib.import_module("IPython.paths")
            of_ipython.get_ipython_dir = functools.lru_cache(maxsize=None)(of_ipython.get_ipython_dir)


def look_once_at(places: Collection[str]) -> None:
    """Until `look_anew`, these paths are what `os.lstat` finds when first asked for them.

    ``realpath`` asks for each directory on the way, each time.
    """
    look = os.lstat
    remembered = functools.lru_cache(maxsize=None)(look)

    def look_or_remember(path: Any, **options: Any) -> os.stat_result:
        return remembered(path) if not options and path in places else look(path, **options)

    os.lstat = look_or_remember


def look_anew() -> None:
    """The end of `look_once_at`."""
    os.lstat = posix.lstat


def ways_of_start() -> frozenset[str]:
    """The directories on the way to the environment and to the home directory, with these."""
    ends = (sys.prefix, os.path.expanduser("~"))
    return frozenset(str(each) for end in map(Path, ends) for each in (end, *end.parents))


def npm_prefix(_manager: Any, npm: str) -> str:
    """Where npm installs for everybody, as ``npm prefix -g`` says it, without a start of Node.

    It is what a variable or a file ``npmrc`` says, else where Node itself is (npm's manual, npmrc).
    """
    given = os.environ.get("NPM_CONFIG_PREFIX") or os.environ.get("npm_config_prefix")  # noqa: SIM112 - npm's own
    if given:
        return given
    beside = os.path.dirname(os.path.dirname(os.path.realpath(shutil.which("node") or npm)))
    user = os.environ.get("NPM_CONFIG_USERCONFIG") or os.path.expanduser("~/.npmrc")
    for path in (user, os.path.join(beside, "etc", "npmrc")):
        with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
            for line in file:
                name, equals, value = line.partition("=")
                if equals and name.strip() == "prefix":
                    return os.path.expanduser(os.path.expandvars(value.strip().strip("\"'")))
    return beside


def look_for_modules_of_node_where_there_are_some() -> None:
    """To be called when extensions are loaded and have not begun: jupyter_lsp looks in each place for each
    language server that it knows.
    """
    known = sys.modules.get("jupyter_lsp.types")
    if known is None:
        return
    finds = known.LanguageServerManagerAPI.find_node_module
    has_modules = functools.lru_cache(maxsize=None)(lambda root: os.path.isdir(root + "/node_modules"))

    def find_node_module(self: Any, *parts: str) -> Any:
        for roots in ("extra_node_roots", "node_roots"):
            setattr(self, roots, [each for each in getattr(self, roots) if has_modules(str(each))])
        return finds(self, *parts)

    known.LanguageServerManagerAPI._npm_prefix = npm_prefix
    known.LanguageServerManagerAPI.find_node_module = find_node_module
