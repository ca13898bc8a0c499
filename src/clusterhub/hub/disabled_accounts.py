"""Sessions of people whose account was disabled are ended, where the operator says so.

Everybody with a session is looked at every ten minutes, a few at a time, through the helper.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from urllib.parse import quote

from clusterhub.audit.events import AccountDisabled
from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.hub.own_api import OwnApi
from clusterhub.spawner.clusters import Clusters
from clusterhub.spawner.tags import Tag, parse_tag

log = logging.getLogger("clusterhub")

PAUSE = 10.0
AT_ONCE = 5
"""People who are looked at every so many seconds: a thousand take half an hour."""

INTERVAL = 600.0
"""Seconds after which somebody is looked at again."""

LOOKS = 3
"""Looks in a row without the groups that let somebody in, after which they are out: a directory that is away
shows people without their groups."""

WORDS = {
    "expired-account": "the account has expired",
    "locked": "the account was locked",
    "shell": "the account's shell was taken away",
    "not-allowed": "the account may not use this hub any more",
}
"""The helper's reasons, in words."""


class DisabledAccounts:
    """Looks at those who have sessions, for as long as the hub runs."""

    def __init__(self, clusters: Clusters, api: OwnApi) -> None:
        self._clusters = clusters
        self._api = api
        self._looked_at: dict[str, float] = {}
        self._outside: dict[str, int] = {}
        """How often in a row somebody was not in the list."""
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Starts to look. Needs a running loop."""
        self._task = asyncio.get_running_loop().create_task(self._go_on())

    async def _go_on(self) -> None:
        while True:
            try:
                await self.look(time.monotonic())
            except Exception:  # one mistake must not end the looking for good
                log.exception("It is not known whether accounts of people with sessions were disabled")
            await asyncio.sleep(PAUSE)

    def sessions(self) -> Iterator[Tag]:
        """Those that the queues show, by the last look of the watch."""
        for name in self._clusters.site.clusters:
            for job in self._clusters.at_rest(name).watch.snapshot.jobs.values():
                tag = parse_tag(job.tag)
                ours = tag is not None and tag.hub == self._clusters.site.hub.id and tag.person == job.person
                if tag is not None and ours and job.state.is_live:
                    yield tag

    async def look(self, now: float) -> None:
        """Looks at the few who were looked at longest ago. ``now`` is monotonic, in seconds."""
        sessions = set(self.sessions())
        people = {tag.person for tag in sessions}
        self._looked_at = {each: at for each, at in self._looked_at.items() if each in people}
        self._outside = {each: looks for each, looks in self._outside.items() if each in people}
        due = [each for each in people if now - self._looked_at.get(each, -INTERVAL) >= INTERVAL]
        for person in sorted(due, key=lambda each: self._looked_at.get(each, -INTERVAL))[:AT_ONCE]:
            self._looked_at[person] = now
            reason = await self._reason(person)
            if reason:
                for tag in sorted((tag for tag in sessions if tag.person == person), key=str):
                    await self._stop(tag, reason)

    async def _reason(self, person: str) -> str:
        """Why the person's sessions are to end; empty where they are not, or nobody knows."""
        try:
            reason = await self._clusters.broker.why_disabled(person)
        except ClusterhubError as error:
            log.warning("It is not known whether %s's account was disabled: %s", person, error)
            return ""
        self._outside[person] = self._outside.get(person, 0) + 1 if reason == "not-allowed" else 0
        return "" if 0 < self._outside[person] < LOOKS else reason

    async def _stop(self, tag: Tag, reason: str) -> None:
        words = WORDS.get(reason, "the account was disabled")
        log.warning("The session %s is stopped: %s", tag, words)
        self._clusters.audit.note(AccountDisabled(person=tag.person, server=tag.server, why=reason))
        explanation = Explanation(
            f"The session was stopped, as {words}.", next="Ask your cluster's support to let you in again."
        )
        self._clusters.endings.explain_stop(tag, explanation)
        try:
            await self._api.delete(f"/users/{quote(tag.person, safe='')}/servers/{tag.server}")
        except ClusterhubError as error:
            log.error("The session %s is not stopped: %s", tag, error)
