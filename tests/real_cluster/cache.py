"""Who may add to the cache: one process at a time, as two machines' clusters share it."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator

from .layout import CACHE


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Wait until nobody else adds to the cache; what was missing may be there then."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".turn").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
