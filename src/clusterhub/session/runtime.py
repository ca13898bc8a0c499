"""The session's directories on its node: its own, with what Jupyter is to find there, and where it starts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .launcher import say

DIRECTORY = "CLUSTERHUB_DIRECTORY"
"""Names the directory in which the session starts; the job script leaves it before it looks for programs."""
EXTENSION = "clusterhub-session"
"""The name of our extension of JupyterLab, whose files are in ``lab``."""

LONGEST_TEMPORARY = 107 - len("/clusterhub-12345678/kernel-12345678-1234-1234-1234-123456789012-ipc-99")
"""Bytes that the path of a temporary directory may have for a kernel's sockets in it: unix(7) allows 107."""


def enter_directory() -> None:
    """Goes to where the session starts, or stays where everybody may be."""
    directory = os.environ.pop(DIRECTORY, None)
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError as error:
            say("%s cannot be entered: %s" % (directory, error.strerror))
        else:
            os.environ["PWD"] = directory


@contextlib.contextmanager
def own_directory() -> Iterator[str]:
    """A directory that only the session's person may open, as long as this holds."""
    usual = tempfile.gettempdir()
    short = usual if len(os.fsencode(usual)) <= LONGEST_TEMPORARY else "/tmp"  # noqa: S108 - mkdtemp makes it safe
    made = tempfile.mkdtemp(prefix="clusterhub-", dir=short)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_extension(files: Mapping[str, str], directory: str) -> str:
    """Writes our extension of JupyterLab; returns the directory for ``extra_labextensions_path``."""
    for name, text in files.items():
        if name.startswith("lab/"):
            path = Path(directory, "labextensions", EXTENSION, name[len("lab/") :])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return os.path.join(directory, "labextensions")


def prepare(runtime: str, reply: Mapping[str, Any]) -> None:
    """Points Jupyter at what belongs to this one session, in a directory of the node that is ours alone."""
    # Connection files and sockets of kernels: on a short path, as a socket's limit is 108 bytes.
    os.environ["JUPYTER_RUNTIME_DIR"] = runtime
    if reply["page_config"]:
        directory = os.path.join(runtime, "config", "labconfig")
        os.makedirs(directory)
        with open(os.path.join(directory, "page_config.json"), "w", encoding="utf-8") as file:
            json.dump(reply["page_config"], file)
        configured = os.environ.get("JUPYTER_CONFIG_PATH")
        paths = [os.path.dirname(directory)] + ([configured] if configured else [])
        os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(paths)


def open_workspace(runtime: str, workspace: Mapping[str, Any]) -> list[str]:
    """The arguments that have JupyterLab begin with that workspace, without touching the person's own."""
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    directory = os.path.join(runtime, "workspace")
    WorkspacesManager(directory).save(
        "default", json.dumps({"data": workspace, "metadata": {"id": "default"}})
    )
    return ["--LabApp.workspaces_dir=" + directory]
