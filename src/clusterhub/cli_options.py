"""Options that several commands have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

SITE_VARIABLE = "CLUSTERHUB_SITE"
DEFAULT_SITE = "/etc/clusterhub/site.toml"


def site_option(command: Any) -> Any:
    """The option ``--site``, of every command that reads the site file."""
    return click.option(
        "--site",
        "path",
        type=click.Path(path_type=Path),
        default=lambda: Path(os.environ.get(SITE_VARIABLE) or DEFAULT_SITE),
        metavar="FILE",
        help=f"The site file [default: ${SITE_VARIABLE}, else {DEFAULT_SITE}]",
    )(command)
