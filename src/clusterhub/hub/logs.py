"""The logs of sessions: `clusterhub logs`."""

from __future__ import annotations

import asyncio
import time

from clusterhub.errors import ClusterhubError
from clusterhub.privileged.broker import LogFile
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import Clusters, clusters_for_a_command
from clusterhub.spawner.job_request import SessionPaths


def session_log(site: Site, session: str, job: str | None, only_list: bool) -> str:
    """The text of a session's newest log, or of one job's, or the list of them. Raises ClusterhubError."""
    person, _, server = session.partition("/")
    with clusters_for_a_command(site) as clusters:
        return asyncio.run(_session_log(clusters, person, server, job, only_list))


async def _session_log(clusters: Clusters, person: str, server: str, job: str | None, only_list: bool) -> str:
    paths = SessionPaths.of(clusters.site, clusters.tag(person, server))
    found = [log for log in await clusters.broker.list_logs(person) if paths.is_log(log.name)]
    if job is not None:
        found = [log for log in found if log.name == paths.log_name(job)]
    if not found:
        raise ClusterhubError(
            f"There is no log of {f'job {job}' if job else 'a session'} of {person}, server {paths.server}.",
            where=paths.directory,
            next=f"See which there are: clusterhub logs --list {person}",
        )
    if only_list:
        return "".join(_line(log) for log in found)
    return await clusters.broker.read_log(person, found[0].name)


def _line(log: LogFile) -> str:
    changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(log.modified_at))
    return f"{changed}  {log.bytes:>10,} B  {log.name}\n"
