"""Where a scheduler's programs lie."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from clusterhub.errors import ClusterhubError


def locate(program: str, directory: str | os.PathLike[str] | None) -> str:
    """Absolute path of a program in that directory, or in PATH where the directory is None.

    Raises `ClusterhubError` where it is not there or may not be run.
    """
    found = shutil.which(program, path=None if directory is None else os.fspath(directory))
    if found is None:
        looked = os.fspath(directory) if directory is not None else f"PATH ({os.environ.get('PATH', '')})"
        raise ClusterhubError(
            f"The program {program} is missing.",
            where=looked,
            next="Install the scheduler's commands, or name their directory in site.toml (`commands`).",
        )
    return str(Path(found).absolute())
