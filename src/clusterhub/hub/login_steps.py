"""The second step of a login: what PAM asked besides the password, which is kept until that is answered."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from clusterhub.privileged.broker import Question

SECONDS = 60.0
"""For which a password is kept, in memory only."""

MOST = 1000
"""Logins that are between their steps; then the oldest has to begin again."""


@dataclass(frozen=True, repr=False)
class Step:
    """A login that waits for an answer."""

    name: str
    network: str
    password: str
    questions: tuple[Question, ...]
    """All that was asked so far: one-time codes cannot be asked for one after the other."""
    until: float


class Steps:
    """Logins between their two steps, each under a random name that only its page knows."""

    def __init__(self) -> None:
        self._steps: OrderedDict[str, Step] = OrderedDict()

    def keep(
        self, name: str, network: str, password: str, questions: tuple[Question, ...], now: float
    ) -> str:
        """The name under which `take` finds it. ``now`` is in seconds of a clock that does not go back."""
        self.forget_old(now)
        key = secrets.token_urlsafe(24)
        self._steps[key] = Step(name, network, password, questions, now + SECONDS)
        while len(self._steps) > MOST:
            self._steps.popitem(last=False)
        return key

    def take(self, key: str, name: str, network: str, now: float) -> Step | None:
        """The login of that person from that network, once; None where it is too late, or not theirs."""
        self.forget_old(now)
        step = self._steps.pop(key, None)
        return step if step is not None and (step.name, step.network) == (name, network) else None

    def forget_old(self, now: float) -> None:
        """No password is there any longer than it should be."""
        while self._steps and next(iter(self._steps.values())).until <= now:
            self._steps.popitem(last=False)
