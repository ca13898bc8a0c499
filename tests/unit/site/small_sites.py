"""A site that has nothing but the profiles that a test is about."""

from __future__ import annotations

from pathlib import Path

from clusterhub.site.loading import parse
from clusterhub.site.schema import Site

ENVIRONMENT = "/shared/clusterhub/environments/current"


def site_with(profiles: str, environment: str | Path = ENVIRONMENT) -> Site:
    """That site; ``profiles`` are tables of site.toml."""
    head = f"""\
[hub]
url = "https://hub.example.org"
internal_url = "https://gateway:8081"

[cluster.main]
scheduler = "slurm"

[environment]
path = "{environment}"
"""
    return parse(head + profiles, Path("/etc/clusterhub/site.toml"))
