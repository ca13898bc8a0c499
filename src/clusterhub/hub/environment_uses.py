"""Which environments are in use: by live sessions, which say so in their logs, and by the site file.

The queue says which sessions there are, so that the answer holds across nodes and whatever becomes of the
hub.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from clusterhub.environments.person import Person
from clusterhub.environments.removal import Use
from clusterhub.errors import ClusterhubError
from clusterhub.hub.orphans import Orphan, look
from clusterhub.schedulers.model import JobState
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import scheduler_for
from clusterhub.spawner.job_request import ENVIRONMENT_LINE, SessionPaths

READ_SECONDS = 20.0
"""How long it may take to look through one session's log."""
MOST_RUNS = 1000
"""Lines of a log that name an environment; a job that is restarted adds one."""


def uses(site: Site) -> list[Use]:
    """Who uses which environment. Raises ClusterhubError where a queue cannot be seen.

    A job that waits is left out: it looks through the link when it starts.
    """
    return [*_named_in(site), *asyncio.run(_sessions(site))]


def _named_in(site: Site) -> Iterator[Use]:
    yield Use(f"[environment] in {site.path}", _behind_links(site.environment.path))
    for profile in site.profiles:
        if profile.environment is not None:
            yield Use(f"profile {profile.name} in {site.path}", _behind_links(profile.environment))


def _behind_links(path: Path) -> Path:
    return Path(os.path.realpath(path))


async def _sessions(site: Site) -> list[Use]:
    found = []
    for name, cluster in site.clusters.items():
        live = await look(site, name, scheduler_for(cluster))
        if isinstance(live, ClusterhubError):
            raise live
        for session in live:
            if session.job.state is not JobState.QUEUED:
                who = f"session of {session.tag.person}, job {session.job.id} on {name}"
                found.append(Use(who, _environment_of(site, session)))
    return found


def _environment_of(site: Site, session: Orphan) -> Path | None:
    """What the log of a live session says; None where it says nothing, or may not be read."""
    log = SessionPaths.of(site, session.tag).log.replace("{job}", session.job.id)
    try:
        person = Person.named(session.tag.person)
    except ClusterhubError:
        return None
    # As the person: root may be nobody on the file system where the logs lie.
    told = person.run(
        ["grep", "-a", f"--max-count={MOST_RUNS}", f"^{ENVIRONMENT_LINE}", "--", log], seconds=READ_SECONDS
    )
    lines = told.stdout.splitlines()
    return Path(lines[-1].removeprefix(ENVIRONMENT_LINE)) if lines else None
