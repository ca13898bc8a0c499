"""When this session's time ends, as far as it knows, and what is to be done about that. Pure: no clock.

Every time is in seconds of one clock that never goes back, the caller's. What comes from the hub are seconds
that remain: the clocks of node and hub may differ.
"""

from __future__ import annotations

SAVES = (60.0, 20.0)
"""Seconds before the end at which documents are saved once more, besides at the beginning of the warning."""

LOOK = 30.0
"""Seconds between two questions to the hub while the end is near."""

LONGEST_SLEEP = 86400.0
"""Seconds after which an end that is far away is thought about again."""

SLACK = 0.5
"""Seconds by which a timer may be early."""


class Deadline:
    """The end that is believed in, and the moments before it.

    ``lead`` is how many seconds before the end the warning begins.
    """

    def __init__(self, lead: float) -> None:
        self.lead = lead
        self.ends: float | None = None
        self._signalled: float | None = None
        self._saved: float | None = None
        """Seconds before the end for which documents were saved last; None: not yet."""

    def learn(self, remaining: float | None, now: float, seen: float) -> None:
        """The hub says how long the job still has; ``seen`` is when the scheduler told the hub so."""
        ends = None if remaining is None else now + remaining
        if self._signalled is not None and seen < self._signalled:
            # The hub has not looked since the scheduler gave its signal: that one knows better.
            ends = self.ends if ends is None or self.ends is None else min(ends, self.ends)
        self.ends = ends
        if not self.is_near(now):
            self._saved = None

    def signalled(self, now: float) -> None:
        """The scheduler has given its signal, which means that no more than the lead remains.

        Slurm may give it up to a minute early, so a nearer end is not made later by it, nor the other way
        round once the hub has had a fresh look.
        """
        self._signalled = now
        end = now + self.lead
        self.ends = end if self.ends is None else min(self.ends, end)

    def remaining(self, now: float) -> float | None:
        """Seconds until the end; None where none is known."""
        return None if self.ends is None else max(0.0, self.ends - now)

    def is_near(self, now: float) -> bool:
        """True from the beginning of the warning."""
        remaining = self.remaining(now)
        return remaining is not None and remaining <= self.lead + SLACK

    def take_save(self, now: float) -> bool:
        """Whether now is a moment to save; each is told once."""
        remaining = self.remaining(now)
        if remaining is None or not self.is_near(now):
            return False
        due = min(moment for moment in self._moments() if remaining <= moment + SLACK)
        if self._saved is not None and due >= self._saved:
            return False
        self._saved = due
        return True

    def sleep(self, now: float) -> float | None:
        """Seconds until there is something to do; None: only a signal can change anything."""
        remaining = self.remaining(now)
        if remaining is None:
            return None
        if not self.is_near(now):
            return min(remaining - self.lead, LONGEST_SLEEP)
        moments = [remaining - moment for moment in self._moments() if moment < remaining - SLACK]
        return min([LOOK, *moments])

    def _moments(self) -> list[float]:
        return [self.lead, *(moment for moment in SAVES if moment < self.lead)]
