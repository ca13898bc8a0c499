"""Files in a person's home that run, or show, wherever something loads them."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.hub_site import ENVIRONMENT

NOTEBOOK = "alices.ipynb"
CSS = "trap-of-custom-css"
ON_THE_PAGE = ("trap-of-page-config", "trap-of-labextension")
IN_AN_EXPORT = ("trap-of-nbconvert-template", "trap-of-template-beside")
OF_JUPYTER = {"jupyter_config", "jupyter_server_config", "jupyter_lab_config"}
OF_KERNELS_AND_TERMINALS = {
    "sitecustomize",
    "jupyterhub",
    "startup",
    "ipython-startup",
    "trap_beside",
    "usercustomize",
    "pth",
    "trap_local",
    "profile",
    "bashrc",
    "bash_env",
}

PROFILE = """
[[profile]]
name = "trapped"
title = "With variables that lead into alice's home"
partition = "debug"
cpus = 1
memory = "1 GiB"
time = "10min"

[profile.variables]
PYTHONPATH = "/home/alice/python"
PYTHONSTARTUP = "/home/alice/startup.py"
BASH_ENV = "/home/alice/bash_env"
"""


def _python(home: Path, name: str) -> str:
    return f"open({str(home / 'marks' / name)!r}, 'w').close()\n"


def _shell(home: Path, name: str) -> str:
    return f": > {home}/marks/{name}\n"


def _files(home: Path) -> dict[str, str]:
    packages = ".local/lib/python3.11/site-packages"
    data = ".local/share/jupyter"
    template = "{0} {{{{ nb.cells[0].source }}}}"
    kernel = {
        "argv": ["/usr/bin/python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Of alice's own",
        "language": "python",
        "env": {"PYTHONPATH": str(ENVIRONMENT / "lib/python3.11/site-packages")},
    }
    extension = {
        "name": "trap-of-labextension",
        "version": "1.0.0",
        "jupyterlab": {"_build": {"load": "static/trap.js", "extension": "./extension"}},
    }
    notebook = {
        "cells": [{"cell_type": "markdown", "metadata": {}, "source": "a notebook of alice", "id": "a"}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return {
        # What Python runs by itself, and modules in the place of those that the server loads.
        "python/sitecustomize.py": _python(home, "sitecustomize"),
        "python/jupyterhub.py": _python(home, "jupyterhub"),
        "startup.py": _python(home, "startup"),
        "trap_beside.py": _python(home, "trap_beside"),
        "jupyter_server.py": _python(home, "jupyter_server"),
        f"{packages}/usercustomize.py": _python(home, "usercustomize"),
        f"{packages}/trap.pth": f"import sys; {_python(home, 'pth')}",
        f"{packages}/trap_local.py": _python(home, "trap_local"),
        # What shells run.
        ".profile": f"{_shell(home, 'profile')}. {home}/.bashrc\n",
        ".bashrc": _shell(home, "bashrc"),
        "bash_env": _shell(home, "bash_env"),
        # What Jupyter loads.
        ".jupyter/jupyter_config.py": _python(home, "jupyter_config"),
        ".jupyter/jupyter_server_config.py": _python(home, "jupyter_server_config"),
        ".jupyter/jupyter_lab_config.py": _python(home, "jupyter_lab_config"),
        ".jupyter/jupyter_server_config.d/trap.json": json.dumps(
            {"ServerApp": {"jpserver_extensions": {"jupyter_lsp": False}}}
        ),
        ".jupyter/labconfig/page_config.json": json.dumps(
            {"disabledExtensions": {"trap-of-page-config": True}}
        ),
        ".jupyter/custom/custom.css": f"/* {CSS} */",
        f"{data}/labextensions/trap-of-labextension/package.json": json.dumps(extension),
        f"{data}/nbconvert/templates/lab/index.html.j2": template.format("trap-of-nbconvert-template"),
        "lab/index.html.j2": template.format("trap-of-template-beside"),
        ".yarnrc.yml": f"yarnPath: {home}/yarn.cjs\n",
        "yarn.cjs": f"require('fs').writeFileSync('{home}/marks/yarnrc', '')\n",
        # What is the person's own, and is to work.
        ".ipython/profile_default/startup/mine.py": _python(home, "ipython-startup"),
        f"{data}/kernels/mine/kernel.json": json.dumps(kernel),
        ".jupyter/lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings": json.dumps(
            {"theme": "JupyterLab Dark"}
        ),
        NOTEBOOK: json.dumps(notebook),
    }


@contextmanager
def set_in(home: Path, person: str) -> Iterator[None]:
    """The traps are in that person's home, and nothing else is; in the end it is as it was before."""
    entry = pwd.getpwnam(person)
    kept = home.with_name(f"{home.name}-before")
    if kept.exists():  # left by a run that was cut off, like the traps
        shutil.rmtree(home)
    else:
        home.rename(kept)
    try:
        (home / "marks").mkdir(parents=True)
        for name, text in _files(home).items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        home.chmod(0o700)
        for path in (home, *home.rglob("*")):
            os.chown(path, entry.pw_uid, entry.pw_gid)
        yield
    finally:
        shutil.rmtree(home)
        kept.rename(home)


def marks(home: Path) -> set[str]:
    """Which traps have sprung."""
    return {path.name for path in (home / "marks").iterdir()}


def files(home: Path) -> set[str]:
    """The names of what lies in the home directory itself."""
    return {path.name for path in home.iterdir()}


def kept(home: Path, pattern: str) -> Any:
    """The JSON of the one file that the pattern finds in the home directory."""
    [path] = home.glob(pattern)
    return json.loads(path.read_text())


def forget(home: Path) -> None:
    """Removes all marks."""
    for path in (home / "marks").iterdir():
        path.unlink()
