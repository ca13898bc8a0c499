"""How long this session lasts, what ails its home, what operators say: found out, and told to its pages."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Mapping
from typing import Any

from . import home
from .deadline import Deadline
from .launcher import VERSION, job_identity, post, say
from .usage import FIRST, INTERVAL, Meter

EVENT = "urn:clusterhub:session"
"""The event by which open pages learn that the session's end is near, or is not any more."""

EVENT_SCHEMA = {
    "$id": EVENT,
    "version": "1",
    "title": "The session's remaining time",
    "description": "Sent to open pages while the end of the session is near, and when it is not any more; "
    "and when operators have said something.",
    "type": "object",
    "required": ["remaining_s", "warn", "save"],
    "properties": {
        "remaining_s": {"type": ["number", "null"], "description": "Seconds; null where no end is known."},
        "warn": {"type": "boolean", "description": "The end is near."},
        "save": {"type": "boolean", "description": "Now is a moment to save what is open."},
        "messages": {"type": "array", "description": "What operators say: each has id and text."},
    },
}

ASK_TIMEOUT = 5.0
"""Seconds for one question to the hub; without an answer what is known goes on to hold."""

SPREAD = 3.0
"""Seconds over which sessions that end together ask the hub, and their pages are warned."""

MOVED = 2.0
"""Seconds by which an end must have moved to be told anew."""


class Session:
    """What this session knows of itself and tells its pages: how long it lasts, and what ails its home."""

    def __init__(self, settings: Mapping[str, Any], token: str, remaining: float | None) -> None:
        self.settings, self.token = settings, token
        self.deadline = Deadline(settings["warning"])
        now = time.monotonic()
        self.deadline.learn(remaining, now, now)
        self.home = os.path.expanduser("~")
        self.home_problem = home.problem_of(self.home)
        self.meter = Meter(job_identity(os.environ)[0])
        self.messages: list[dict[str, str]] = []
        self._warned = False
        self._unanswered = False
        self._woken = asyncio.Event()
        self._emit: Any = None

    def signalled(self) -> None:
        """The scheduler says that the end is near; called on the loop."""
        say("the scheduler has sent its signal: the job's end is near")
        self.deadline.signalled(time.monotonic())
        self._woken.set()

    def model(self) -> dict[str, Any]:
        """What a page is told when it asks."""
        now = time.monotonic()
        return {
            "remaining_s": self.deadline.remaining(now),
            "warn_before_s": self.deadline.lead,
            "warn": self.deadline.is_near(now),
            "home": self.home_problem,
            "environment": os.environ.get("CLUSTERHUB_ENVIRONMENT_WAY", "directory"),
            "messages": self.messages,
        }

    async def look_at_home(self) -> None:
        """Whether what ailed the home directory has been mended."""
        if self.home_problem:
            loop = asyncio.get_running_loop()
            self.home_problem = await loop.run_in_executor(None, home.problem_of, self.home)

    async def follow(self, emit: Any) -> None:
        """Warns open pages in time; ``emit`` sends them an event. Does not return."""
        self._emit = emit
        # The job script has it ignored until now, so that it kills nobody who does not want to hear it.
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.signalled)
        while True:
            await self._wait(self.deadline.sleep(time.monotonic()))
            if self._warned:
                self._tell()  # a moment to save does not wait for the hub
            before = self.deadline.ends
            await self._ask()
            after = self.deadline.ends
            if not self._warned or before is None or after is None or abs(after - before) > MOVED:
                self._tell()

    async def report(self) -> None:
        """Tells the hub what the session uses, each time that this has changed. Does not return."""
        loop = asyncio.get_running_loop()
        while True:
            await loop.run_in_executor(None, self.meter.look)
            if self.meter.is_news:
                before = self.deadline.ends
                await self._ask()
                after = self.deadline.ends
                if before is not None and after is not None and abs(after - before) > MOVED:
                    self._woken.set()  # it is to wait for another moment now
            pause = FIRST if self.meter.now is None else INTERVAL
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - not all at once

    async def _wait(self, seconds: float | None) -> None:
        if seconds is not None and not self._warned:
            seconds += random.uniform(0, SPREAD)  # noqa: S311 - so that not all sessions of a course ask at once
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except asyncio.TimeoutError:
            return
        self._woken.clear()

    def _tell(self) -> None:
        now = time.monotonic()
        near, save = self.deadline.is_near(now), self.deadline.take_save(now)
        if near or self._warned:
            if near and not self._warned:
                say("the session ends in %d s; open pages are warned" % (self.deadline.remaining(now) or 0))
            self._send(near, save=save)
        self._warned = near

    def _send(self, near: bool, *, save: bool) -> None:
        remaining = self.deadline.remaining(time.monotonic())
        told = {"remaining_s": remaining, "warn": near, "save": save, "messages": self.messages}
        self._emit(schema_id=EVENT, data=told)

    async def _ask(self) -> None:
        """Has the hub say how long the job still has."""
        job, restart = job_identity(os.environ)
        said: dict[str, Any] = {
            "version": VERSION,
            "tag": self.settings["tag"],
            "job": job,
            "restart": restart,
        }
        used = self.meter.now
        if used is not None:
            said["usage"] = used
        asked = time.monotonic()
        self.meter.told(used)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(
                None, post, self.settings, "time_url", said, self.token, ASK_TIMEOUT
            )
            remaining, seen_ago = answer["remaining_s"], answer["seen_s_ago"]
            messages = list(answer.get("messages", ()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            if not self._unanswered:
                say(
                    "the hub does not say how long the session lasts, so what it said before holds: %s"
                    % error
                )
            self._unanswered = True
            return
        self._unanswered = False
        self.deadline.learn(remaining, time.monotonic(), asked - seen_ago)
        if messages != self.messages:
            self.messages = messages
            if self._emit is not None:
                self._send(self._warned, save=False)
