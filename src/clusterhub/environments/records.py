"""The last check of each version: whoever activates one wants to know that it was checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from clusterhub.environments.versions import Environments


@dataclass(frozen=True)
class CheckRecord:
    """When and how a version was checked."""

    passed: bool
    at: float
    """Seconds since the epoch."""
    person: str
    """As whom."""
    node: str


def last_check(environments: Environments, name: str) -> CheckRecord | None:
    """The last check of a version; None where there was none."""
    try:
        return CheckRecord(**json.loads(_path(environments, name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def note_check(environments: Environments, name: str, record: CheckRecord) -> bool:
    """Remember a check; False where this account may not write there."""
    path = _path(environments, name)
    scratch = path.with_name(f".{name}.new")
    try:
        path.parent.mkdir(exist_ok=True)
        scratch.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")
        scratch.chmod(0o644)
        scratch.replace(path)
    except OSError:
        return False
    return True


def forget_check(environments: Environments, name: str) -> None:
    """A version of that name that comes later has not been checked."""
    _path(environments, name).unlink(missing_ok=True)


def _path(environments: Environments, name: str) -> Path:
    return environments.directory / ".checked" / name
