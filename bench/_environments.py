"""The environments that starts are measured with, built by `clusterhub environment build` and kept."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.environments.tools import ensure_uv
from tests.real_cluster.layout import CACHE

from _run import say
from clusterhub.environments.curated import requirements

PYTHON = "/usr/bin/python3"
LISTS: Mapping[str, str] = {"curated": "default", "minimal": "minimal"}
"""Name here -> what `include` is in environment.toml."""


def ensure_environments() -> dict[str, Path]:
    """Directories of the curated and of the minimal environment, built where they are not there yet.

    The directory's name tells the lists and the Python. Raises subprocess.CalledProcessError.
    """
    lists = {name: requirements(include) for name, include in LISTS.items()}
    wanted = repr((lists, os.path.realpath(PYTHON)))
    directory = CACHE / "bench" / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    directory.mkdir(parents=True, exist_ok=True)
    for name, include in LISTS.items():
        if (directory / name).exists():
            continue
        say(f"building the {name} environment in {directory} (once)")
        wish = directory / f"{name}.toml"
        wish.write_text(f'[environment]\ninclude = "{include}"\npython = "{PYTHON}"\n')
        program = "from clusterhub.cli import main; main()"
        subprocess.run(
            [
                *(sys.executable, "-c", program, "environment", "build"),
                *("--directory", str(directory), "--name", name, str(wish)),
            ],
            env={**os.environ, "PATH": f"{ensure_uv()}{os.pathsep}{os.environ['PATH']}"},
            check=True,
            stdout=sys.stderr,
        )
    return {name: directory / name for name in LISTS}
