"""What a session uses of its node, as it says itself: shown to people, and believed by nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clusterhub.spawner.boarding import Usage

STALE = 1500.0
"""Seconds after which what was said is not shown any more: a session says it every ten minutes at least."""


@dataclass(frozen=True)
class Used:
    """What a session said, and when."""

    memory: int
    """Bytes."""
    cores: float
    """How many were busy on average, since it was looked at before."""
    seen_at: float
    """Seconds since the epoch."""

    @classmethod
    def of(cls, usage: Usage, now: float) -> Used:
        """What is said now."""
        return cls(usage.memory, usage.millicores / 1000, now)

    def as_json(self) -> Mapping[str, Any]:
        """As the REST API tells it."""
        return {"memory": self.memory, "cores": self.cores, "seen_at": self.seen_at}


def still_told(used: Used | None, now: float) -> Used | None:
    """What is shown at that time; None for what nobody knows any more."""
    return used if used is not None and now - used.seen_at <= STALE else None
