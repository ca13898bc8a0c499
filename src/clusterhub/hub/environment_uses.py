"""Which environments are in use: by sessions and by the site file.

Sessions that run say so in their logs; in which one a job that waits is to run, the hub's database says. The
queue says which sessions there are, so that the answer holds across nodes and whatever becomes of the
hub.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from clusterhub.environments.person import Person
from clusterhub.environments.removal import Use
from clusterhub.errors import ClusterhubError
from clusterhub.hub.orphans import Orphan, Server, look, servers_of
from clusterhub.schedulers.model import JobState
from clusterhub.site.schema import Site
from clusterhub.site.versions import CURRENT, PREVIOUS, path_of
from clusterhub.spawner.clusters import scheduler_for
from clusterhub.spawner.job_request import ENVIRONMENT_LINE, SessionPaths

READ_SECONDS = 20.0
"""How long it may take to look through one session's log."""
MOST_RUNS = 1000
"""Lines of a log that name an environment; a job that is restarted adds one."""


def uses(site: Site) -> list[Use]:
    """Who uses which environment. Raises ClusterhubError where a queue or the database cannot be seen."""
    return [*_named_in(site), *asyncio.run(_sessions(site))]


def _named_in(site: Site) -> Iterator[Use]:
    yield Use(f"[environment] in {site.path}", _behind_links(site.environment.path))
    named = [("[environment]", site.environment.offer)]
    named += [(f"profile {profile.name}", profile.environment) for profile in site.profiles]
    for where, versions in named:
        for version in versions:
            # Of these two, which version it is may change at any time.
            if version not in (CURRENT, PREVIOUS):
                yield Use(f"{where} in {site.path}", _behind_links(path_of(version, site.environment.path)))


def _behind_links(path: Path) -> Path:
    return Path(os.path.realpath(path))


async def _sessions(site: Site) -> list[Use]:
    found = []
    for name, cluster in site.clusters.items():
        live = await look(site, name, scheduler_for(cluster))
        if isinstance(live, ClusterhubError):
            raise live
        waiting = [each for each in live if each.job.state is JobState.QUEUED]
        servers = servers_of(site) if waiting else {}
        for session in live:
            who = f"session of {session.tag.person}, job {session.job.id} on {name}"
            if session in waiting:
                found.append(Use(f"{who}, which waits", _environment_to_be(servers, session)))
            else:
                found.append(Use(who, _environment_of(site, session)))
    return found


def _environment_to_be(servers: Mapping[tuple[str, str], Server], session: Orphan) -> Path | None:
    """What a job that waits will run in: the database knows. A link is looked through when it starts."""
    server = servers.get((session.tag.person, session.tag.server))
    if server is None or not server.environment or not server.owns(session.cluster, session.job.id):
        return None
    return _behind_links(Path(server.environment))


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
