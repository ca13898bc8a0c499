"""The lists of packages that come with us."""

from __future__ import annotations

import re
from importlib import resources

LISTS = {"default": ("minimal", "default"), "minimal": ("minimal",), "nothing": ()}
"""What `include` can be -> the files that it stands for."""


def requirements(include: str) -> tuple[str, ...]:
    """The requirements of that list, in the order of its files."""
    room = resources.files("clusterhub.environments") / "lists"
    lines = [
        line
        for name in LISTS[include]
        for line in (room / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    ]
    return tuple(line for line in lines if line and not line.startswith("#"))


def name_of(requirement: str) -> str:
    """The package that a requirement is about, as registries compare names (PEP 503)."""
    found = re.match(r"[A-Za-z0-9._-]*", requirement)
    return re.sub(r"[-_.]+", "-", found[0] if found else "").lower()
