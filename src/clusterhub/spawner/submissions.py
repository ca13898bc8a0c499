"""Which looks at the queue show every job that a session may have."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clusterhub.spawner.tags import Tag


class Submissions:
    """Remembers until when submissions may bring jobs, so that not every start needs a look of its own.

    ``seconds`` is how long after it was asked for, or after its asker ended, a submission may bring a job of
    which no answer came; ``now`` tells seconds that never go back.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._of_earlier_hubs = now() + seconds
        self._until: dict[Tag, float] = {}

    @contextmanager
    def under_way(self, tag: Tag) -> Iterator[None]:
        """While a job is submitted for that session; leaving it by an error is no answer."""
        self._until[tag] = math.inf
        try:
            yield
        except BaseException:
            self._until[tag] = self._now() + self._seconds
            raise
        self._until[tag] = self._now()

    def are_shown(self, tag: Tag, since: float) -> bool:
        """Whether a look that began ``since`` then shows every job that session may have."""
        return since > max(self._of_earlier_hubs, self._until.get(tag, -math.inf))
