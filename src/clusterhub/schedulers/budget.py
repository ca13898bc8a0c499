"""How many queries a scheduler is asked to bear: a token bucket."""

from __future__ import annotations


class Budget:
    """At most ``per_minute`` queries a minute for as long as it goes on, and ``burst`` at once after a rest.

    Time is given by the caller, in seconds of a clock that never goes back.
    """

    def __init__(self, per_minute: float, burst: int, now: float) -> None:
        self._rate = per_minute / 60.0
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = now

    def delay(self, now: float, *, leave: int = 0) -> float:
        """Seconds until a query may be made that leaves so many for others; 0.0 for now."""
        self._refill(now)
        lacking = 1 + leave - self._tokens
        # Rounding must not make a caller come back a moment too early, again and again.
        return max(0.0, lacking / self._rate) if lacking > 1e-9 else 0.0  # noqa: PLR2004 - rounding

    def left(self, now: float) -> float:
        """How many queries may be made at once."""
        self._refill(now)
        return self._tokens

    def spend(self, now: float) -> None:
        """Count a query that is made now."""
        self._refill(now)
        self._tokens -= 1

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
