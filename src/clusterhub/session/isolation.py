"""Keeps what lies in the person's home out of the server's own code, and its secrets out of what it starts.

Kernels, terminals and language servers are the person's own programs and see all of their files. The server
runs isolated (``python -I``), which is about modules; what is here is about Jupyter, which looks for
configuration, extensions and templates in the home directory, too.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

DATA = ("lab/user-settings", "lab/workspaces", "serverconfig", "nbconfig")
"""What pages keep in Jupyter's configuration directory, as JSON, which nothing but pages reads."""

SECRETS = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN")
"""Variables that hold the session's token; the latter is its old name, which JupyterHub still sets."""

WHILE_IT_STARTS = {"YARN_RC_FILENAME": ".clusterhub-reads-no-yarnrc"}
"""JupyterLab starts yarn once where there is Node; it would run what ``~/.yarnrc.yml`` names."""


def keep_out_home(runtime: str) -> list[str]:
    """Has Jupyter find no code in the home directory; returns further arguments for the server.

    To be called before anything of Jupyter is loaded: its modules take these functions by name. There are
    variables for some of it, but kernels would inherit them. Raises ImportError where there is no Jupyter.
    """
    from jupyter_core import paths

    os.environ.update(WHILE_IT_STARTS)
    own = own_configuration(paths.jupyter_config_dir(), os.path.join(runtime, "own-config"))
    paths.jupyter_config_dir = lambda: own
    paths.jupyter_path = functools.partial(search_path, paths.jupyter_path, paths.jupyter_data_dir())
    # Otherwise nbconvert would take templates, which are code, from where the session began.
    return ["--TemplateExporter.extra_template_basedirs=[]"]


def own_configuration(theirs: str, own: str) -> str:
    """Makes the directory that is Jupyter's configuration directory in this session; returns it.

    It holds links to what is data in the person's, and nothing else of theirs.
    """
    os.makedirs(own)
    Path(own, "migrated").touch()  # or Jupyter would copy what IPython 3 had left in the home directory
    for name in DATA:
        target = Path(theirs, name)
        there = os.path.isdir(target)
        if not there:
            with contextlib.suppress(OSError):  # a home that is full or missing: what is made here, ends here
                target.mkdir(mode=0o700, parents=True, exist_ok=True)
                there = True
        if there:
            link = Path(own, name)
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(target)
    return own


def search_path(found: Callable[..., list[str]], theirs: str, *subdirectories: str) -> list[str]:
    """Where Jupyter looks for such files: in the person's data directory for kernels only.

    Extensions of JupyterLab and templates of nbconvert are there, too, and are code.
    """
    directories = found(*subdirectories)
    if subdirectories[:1] == ("kernels",):
        return directories
    return [each for each in directories if each != os.path.join(theirs, *subdirectories)]


def end_of_start(server: Any) -> None:
    """Takes out of the environment what only the start needed, before anything of the person's inherits it.

    ``server`` is the Jupyter Server; it and its extensions read the token once, when first asked for it.
    """
    apps = [app for each in server.extension_manager.extension_apps.values() for app in each]
    for holder in (server.identity_provider, *apps):
        if hasattr(holder, "hub_auth"):
            _ = holder.hub_auth.api_token
    for name in (*SECRETS, *WHILE_IT_STARTS):
        os.environ.pop(name, None)
