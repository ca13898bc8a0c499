"""Jobs of this hub that none of its servers owns: `clusterhub orphans`.

Who owns what is read from JupyterHub's database, so that the answer is there while the hub is down, too.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyterhub import orm
from sqlalchemy import create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from clusterhub.errors import ClusterhubError
from clusterhub.hub.configure import as_config, resolve
from clusterhub.schedulers.base import Scheduler
from clusterhub.schedulers.command import run
from clusterhub.schedulers.model import Job
from clusterhub.site.quantities import format_duration
from clusterhub.site.schema import Site
from clusterhub.spawner.cancellations import FILE as CANCELLATIONS
from clusterhub.spawner.clusters import clusters_for_a_command, scheduler_for
from clusterhub.spawner.tags import Tag, parse_tag

PAUSE = 10.0
"""Seconds until the database is read again. A start that a restarted hub goes on with, and one whose job the
scheduler has just taken, own their job by then."""

WIDTH = 80
SHORTEST = 6
"""Characters that a column of the table keeps, however wide the others are."""


@dataclass(frozen=True)
class Server:
    """A server as the database knows it."""

    cluster: str
    job: str
    """Empty while a start has not heard its job's id."""
    starts: bool
    """The hub has begun a start, or a session, and not ended it."""
    environment: str = ""
    """The directory that its job is to run in, or a link to it; empty where it is not known."""

    def owns(self, cluster: str, job: str) -> bool:
        """True where that job is this server's, or may become it."""
        return (self.cluster, self.job) == (cluster, job) or (self.starts and not self.job)


@dataclass(frozen=True)
class Orphan:
    """A live job with this hub's tag that no server owns."""

    cluster: str
    tag: Tag
    job: Job

    def is_older_than(self, seconds: float) -> bool:
        """Whether it was submitted at least so long ago; of one of which nobody knows when, False."""
        if not seconds:
            return True
        return self.job.submitted_at is not None and time.time() - self.job.submitted_at >= seconds

    @property
    def row(self) -> tuple[str, ...]:
        """As the table shows it."""
        since = self.job.started_at or self.job.submitted_at
        shown = time.strftime("%Y-%m-%d %H:%M", time.localtime(since)) if since else ""
        return self.cluster, self.job.id, self.tag.person, self.tag.server, self.job.state.value, shown


HEADINGS = ("cluster", "job", "person", "server", "state", "since")


def orphans(site: Site, *, end: bool, say: Callable[..., None], older_than: float = 0.0) -> int:
    """Prints the orphans; with ``end`` cancels them as the persons whose they are. Returns the exit status.

    ``older_than`` is in seconds: those that were submitted later are left alone. ``say`` is called with a
    line, and with ``err=True`` for what goes to standard error. Raises ClusterhubError where the database
    cannot be read.
    """
    return asyncio.run(_orphans(site, end=end, say=say, older_than=older_than))


async def _orphans(site: Site, *, end: bool, say: Callable[..., None], older_than: float) -> int:
    schedulers = {name: scheduler_for(cluster) for name, cluster in site.clusters.items()}
    before = servers_of(site)
    looks = await asyncio.gather(*(look(site, name, schedulers[name]) for name in schedulers))
    errors = [each for each in looks if isinstance(each, ClusterhubError)]
    live = [orphan for each in looks if not isinstance(each, ClusterhubError) for orphan in each]
    found = [each for each in unowned(live, before) if each.is_older_than(older_than)]
    if found:
        await asyncio.sleep(PAUSE)
        found = unowned(found, servers_of(site), being_cancelled(site))
    for error in errors:
        say(str(error), err=True)
    if found:
        for line in table([HEADINGS, *(orphan.row for orphan in found)]):
            say(line)
    elif not errors:
        old = f" and that is older than {format_duration(round(older_than))}" if older_than else ""
        say(f"There is no job of this hub that none of its servers owns{old}.")
    if end and found:
        errors += await _end(site, found, say)
    return 1 if errors else 0


def servers_of(site: Site) -> Mapping[tuple[str, str], Server]:
    """The servers of the database, by person and name. Raises ClusterhubError where it cannot be read."""
    config = as_config(resolve(site)).JupyterHub
    url = database_url(config.db_url, site.hub.state_directory)
    try:
        # Without the cache: SQLAlchemy warns that JupyterHub's own column types do not go into it.
        engine = create_engine(url, **{**config.get("db_kwargs", {}), "query_cache_size": 0})
        query = select(
            orm.User.name, orm.Spawner.name, orm.Spawner.state, orm.Spawner.server_id, orm.Spawner.started
        ).join(orm.Spawner, orm.Spawner.user_id == orm.User.id)
        try:
            with engine.connect() as connection:
                rows = connection.execute(query).all()
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        raise ClusterhubError(
            f"The hub's database cannot be read: {str(error).splitlines()[0]}.",
            where=engine_name(url),
            next="Run this as root or as the hub's account; `clusterhub config show` names the database.",
        ) from None
    return {
        (person, name): Server(
            (state or {}).get("cluster", ""),
            (state or {}).get("job", ""),
            server is not None or started is not None,
            (state or {}).get("environment", ""),
        )
        for person, name, state, server, started in rows
    }


def database_url(url: str, state_directory: Path) -> str:
    """The database's URL for SQLAlchemy, from what JupyterHub takes: a bare path is SQLite's.

    Raises ClusterhubError where that is a file which is not there: looking must not make it.
    """
    if "://" not in url:
        url = f"sqlite:///{url}"
    if not url.startswith("sqlite:///"):
        return url
    path = state_directory / url.removeprefix("sqlite:///").partition("?")[0]  # the hub runs in there
    try:
        path.open("rb").close()
    except OSError as error:
        raise ClusterhubError(
            f"The hub's database cannot be read: {error.strerror}.",
            where=str(path),
            next="Run this as root, or as the hub's account, once the hub has been started.",
        ) from None
    return f"sqlite:///{path}"


def engine_name(url: str) -> str:
    """The URL without what may be a password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def being_cancelled(site: Site) -> frozenset[tuple[str, str]]:
    """Cluster and id of the jobs that the hub is seeing to their end itself."""
    try:
        kept = json.loads((site.hub.state_directory / CANCELLATIONS).read_text(encoding="utf-8"))
        return frozenset((each["cluster"], each["job"]) for each in kept)
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()  # then it sees to none


async def look(site: Site, name: str, scheduler: Scheduler) -> list[Orphan] | ClusterhubError:
    """The live jobs of one cluster that carry this hub's tag, owned or not, by one look at its queue."""
    try:
        argv = scheduler.queue()
        program = scheduler.programs(site.clusters[name].commands)[argv[0]]
        environment = {**scheduler.environment, **scheduler.look_environment}
        jobs = scheduler.parse_queue(await run((*program, *argv[1:]), environment=environment))
    except ClusterhubError as error:
        return error
    found = ((parse_tag(job.tag), job) for job in jobs.values() if job.state.is_live)
    return [
        # Anybody can write our tag on a job of their own; it is ours only if they are who the tag says.
        Orphan(name, tag, job)
        for tag, job in found
        if tag is not None and tag.hub == site.hub.id and tag.person == job.person
    ]


def unowned(
    live: Iterable[Orphan],
    servers: Mapping[tuple[str, str], Server],
    doomed: frozenset[tuple[str, str]] = frozenset(),
) -> list[Orphan]:
    """Those that no server owns and that nobody is ending already."""
    return [
        each
        for each in live
        if (each.cluster, each.job.id) not in doomed
        and not (
            (server := servers.get((each.tag.person, each.tag.server)))
            and server.owns(each.cluster, each.job.id)
        )
    ]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows in columns, cut so that no line is longer than a terminal."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    gaps = 2 * (len(widths) - 1)
    while sum(widths) + gaps > WIDTH and max(widths) > SHORTEST:
        widths[widths.index(max(widths))] -= 1
    return [
        "  ".join(_cut(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _cut(text: str, width: int) -> str:
    return f"{text[: width - 1]}~" if len(text) > width else text.ljust(width)


async def _end(site: Site, found: Iterable[Orphan], say: Callable[..., None]) -> list[ClusterhubError]:
    """Cancels each as the person, so that the scheduler itself sees to it that the job is theirs."""
    errors = []
    with clusters_for_a_command(site) as clusters:
        for orphan in found:
            scheduler = clusters.schedulers[orphan.cluster]
            try:
                argv = scheduler.cancellation(orphan.job.id)
                scheduler.parse_cancellation(await clusters.broker.cancel(orphan.tag.person, argv))
            except ClusterhubError as error:
                say(str(error), err=True)
                errors.append(error)
            else:
                say(f"Cancelled job {orphan.job.id} of {orphan.tag.person} on {orphan.cluster}.")
    return errors
