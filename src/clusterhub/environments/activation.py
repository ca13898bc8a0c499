"""`clusterhub environment activate` and `rollback`: which version new sessions get.

The link is turned by one rename: whoever follows it finds the one version or the other.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clusterhub.environments.records import last_check
from clusterhub.environments.versions import Environments, cannot_change
from clusterhub.errors import ClusterhubError
from clusterhub.site.versions import PREVIOUS

_HISTORY = ".history"


def activate(environments: Environments, name: str, *, unchecked: bool) -> str:
    """New sessions run in that version from now on; returns the one before, which may be empty.

    Raises ClusterhubError where the version is unfinished, or did not pass its check and ``unchecked`` is
    not set.
    """
    with environments.changing():
        version = environments.version(name)
        check = last_check(environments, name)
        if not unchecked and (check is None or not check.passed):
            what = "has not been checked" if check is None else "did not pass its check"
            raise ClusterhubError(
                f"The version {name} {what}, so nothing was activated.",
                where=str(version.path),
                next=f"Run `clusterhub environment check {name}`; or activate it with --unchecked.",
            )
        before = environments.active()
        _turn(environments, name, {"activated": name})
        return before


def rollback(environments: Environments) -> tuple[str, str]:
    """New sessions run in the version that was active before; returns the one that was, and that.

    Raises ClusterhubError where there is none that is still here.
    """
    with environments.changing():
        active = environments.active()
        there = [each.name for each in environments.versions() if each.manifest is not None]
        before = previous(_history(environments), active, there)
        if not before:
            raise ClusterhubError(
                "There is no version to go back to.",
                where=str(environments.directory),
                next="`clusterhub environment list` shows what there is; activate one of them.",
            )
        _turn(environments, before, {"rolled back to": before})
        return active, before


def previous(history: Iterable[Mapping[str, Any]], active: str, there: Iterable[str]) -> str:
    """The version to go back to, by what was activated and rolled back; empty where there is none. Pure.

    An entry is written before the link is turned, so the last one may be of what never came to pass: what is
    active tells.
    """
    stack: list[str] = []
    for entry in history:
        if "activated" in entry:
            stack.append(entry["activated"])
        elif entry.get("rolled back to") in stack:
            while stack[-1] != entry["rolled back to"]:
                stack.pop()
    if active in stack:
        while stack[-1] != active:
            stack.pop()
    known = set(there) - {active}
    return next((name for name in reversed(stack) if name in known), "")


def _turn(environments: Environments, name: str, entry: Mapping[str, str]) -> None:
    link = environments.link
    scratch = link.with_name(f".{link.name}.new")
    try:
        with (environments.directory / _HISTORY).open("a", encoding="utf-8") as history:
            history.write(json.dumps({**entry, "at": round(time.time())}) + "\n")
            history.flush()
            os.fsync(history.fileno())
        scratch.unlink(missing_ok=True)
        scratch.symlink_to(name)
        scratch.replace(link)
        point_to_previous(environments)
    except OSError as error:
        raise cannot_change(environments.directory, error) from None


def point_to_previous(environments: Environments) -> None:
    """Has the link `previous` lead to the version that a rollback would go to; no link where there is none.

    It may be turned a moment after what is active was: nothing but what people are offered depends on it.
    Raises OSError.
    """
    there = [each.name for each in environments.versions() if each.manifest is not None]
    before = previous(_history(environments), environments.active(), there)
    link = environments.link.with_name(PREVIOUS)
    if os.path.lexists(link) and not link.is_symlink():
        return  # something of the operator's, from before there were such links
    if not before:
        link.unlink(missing_ok=True)
        return
    scratch = link.with_name(f".{link.name}.new")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(before)
    scratch.replace(link)


def _history(environments: Environments) -> list[dict[str, Any]]:
    path: Path = environments.directory / _HISTORY
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    entries = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # a line that a full disk cut off
        if isinstance(entry, dict):
            entries.append(entry)
    return entries
