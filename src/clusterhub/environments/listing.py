"""`clusterhub environment list`: the versions as a table, and as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from clusterhub.environments.packing import image_of
from clusterhub.environments.records import last_check
from clusterhub.environments.removal import Use, users_of
from clusterhub.environments.versions import Environments, Version

_HEADINGS = ("version", "state", "in use", "packages", "files", "size", "image", "made")


def table(environments: Environments, uses: Iterable[Use] | None) -> list[str]:
    """Lines for a terminal; ``uses`` is None where nobody can tell."""
    versions = environments.versions()
    if not versions:
        return [f"There is no version in {environments.directory} yet: clusterhub environment build"]
    known = None if uses is None else list(uses)
    rows = [_HEADINGS, *(_row(environments, each, known) for each in versions)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def users(environments: Environments, uses: Iterable[Use]) -> list[str]:
    """Lines for a terminal that name who uses which version, and who may use any."""
    known = list(uses)
    told = {each.name: users_of(each, known) for each in environments.versions()}
    lines = [f"{name}: {use.who}" for name, using in told.items() for use in using]
    return lines + [f"not known: {use.who}" for use in known if use.directory is None]


def as_json(environments: Environments, uses: Iterable[Use] | None) -> list[dict[str, Any]]:
    """The same for programs; ``in_use`` is null where nobody can tell."""
    known = None if uses is None else list(uses)
    return [
        {
            "name": each.name,
            "path": str(each.path),
            "active": each.active,
            "finished": each.manifest is not None,
            "checked": (check := last_check(environments, each.name)) is not None and check.passed,
            "in_use": None if known is None else [use.who for use in users_of(each, known)],
            "adopted": each.manifest.adopted if each.manifest else "",
            "python": each.manifest.python if each.manifest else None,
            "packages": len(each.manifest.packages) if each.manifest else None,
            "files": each.manifest.files if each.manifest else None,
            "bytes": each.manifest.size if each.manifest else None,
            "image_bytes": image.size if (image := image_of(environments, each.name)) else None,
            "made_at": each.manifest.made_at if each.manifest else None,
            "made_by": each.manifest.account if each.manifest else None,
        }
        for each in environments.versions()
    ]


def _row(environments: Environments, version: Version, uses: list[Use] | None) -> tuple[str, ...]:
    check = last_check(environments, version.name)
    states = ["active"] if version.active else []
    states += ["adopted"] if version.is_adopted else []
    if version.manifest is None:
        return (version.name, "unfinished", "", "", "", "", "", "")
    states.append("not checked" if check is None else "checked" if check.passed else "failed its check")
    using = "?" if uses is None else str(len(users_of(version, uses)) or "")
    made, image = version.manifest, image_of(environments, version.name)
    return (
        version.name,
        ", ".join(states),
        using,
        str(len(made.packages)),
        f"{made.files:,}",
        f"{made.size / 2**20:,.0f} MiB",
        f"{image.size / 2**20:,.0f} MiB" if image else "",
        f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(made.made_at))} by {made.account}",
    )
