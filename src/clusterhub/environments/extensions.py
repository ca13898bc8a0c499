"""Which packages extend JupyterLab or its server, by the files that they install."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from clusterhub.environments.curated import name_of

_PLACES = ("share/jupyter/labextensions/", "etc/jupyter/jupyter_server_config.d/")


def brings_extension(packages: Path, name: str) -> bool:
    """Whether that package, installed in a site-packages directory, has an extension in it."""
    for distribution in importlib.metadata.distributions(path=[str(packages)]):
        if name_of(distribution.metadata["Name"] or "") == name:
            files = [str(file) for file in distribution.files or ()]
            return any(place in file for place in _PLACES for file in files)
    return False
