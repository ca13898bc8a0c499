"""What the command line does with a site file: `clusterhub config check` and `clusterhub config schema`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from clusterhub.errors import ClusterhubError

SITE_VARIABLE = "CLUSTERHUB_SITE"
DEFAULT_SITE = "/etc/clusterhub/site.toml"


def site_option(command: Any) -> Any:
    """The option ``--site``, for every command that reads the site file."""
    return click.option(
        "--site",
        "path",
        type=click.Path(path_type=Path),
        default=lambda: Path(os.environ.get(SITE_VARIABLE) or DEFAULT_SITE),
        metavar="FILE",
        help=f"The site file [default: ${SITE_VARIABLE}, else {DEFAULT_SITE}]",
    )(command)


@click.command()
@site_option
def check(path: Path) -> None:
    """Say whether the site file is good, or name everything that is wrong in it."""
    from clusterhub.site.loading import load

    try:
        site = load(path)
    except ClusterhubError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    clusters = _counted(len(site.clusters), "cluster")
    click.echo(f"{path}: good: {clusters}, {_counted(len(site.profiles), 'profile')}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of the site file, for editors."""
    from clusterhub.site.editors import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
