"""The job by which an environment is checked on a node: one of the site's own profiles."""

from __future__ import annotations

import grp
from collections.abc import Callable
from dataclasses import replace

from clusterhub.environments.on_node import Node
from clusterhub.environments.person import Person
from clusterhub.errors import ClusterhubError
from clusterhub.privileged.broker import Account
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import scheduler_for
from clusterhub.spawner.job_request import job_request
from clusterhub.spawner.options import parse_choice
from clusterhub.spawner.tags import Tag

JOB_NAME = "clusterhub-check"
"""Not the name of the hub's own jobs: it must not take this one for a session."""
SPARE_SECONDS = 60


def node(site: Site, person: Person, profile: str, seconds: float, say: Callable[[str], None]) -> Node:
    """Where and how to submit the check of ``seconds``, as this person and with this profile (or the first).

    Raises ClusterhubError where the person is not offered that profile.
    """
    groups = _groups(person)
    choice = parse_choice({"profile": profile} if profile else {}, site, person.name, groups)
    chosen = site.profile_named(choice.profile)
    cluster = site.cluster_of(chosen)
    account = Account(  # noqa: S604 - no shell is run
        person.name,
        person.uid,
        person.gid,
        person.home,
        shell="/bin/sh",
        groups=groups,
        home_exists=True,
        shell_allowed=True,
        allowed=True,
    )
    tag = Tag(site.hub.id, person.name, "")
    request = job_request(site, profile=chosen, choice=choice, account=account, tag=tag, ticket={})
    own = cluster.model_copy(update={"job_name": JOB_NAME})
    own._name = cluster.name
    scheduler = scheduler_for(own)
    if scheduler.runs_here:
        raise ClusterhubError(
            f"The sessions of profile {chosen.name} run on this machine itself.",
            next="Check here: clusterhub environment check --here",
        )
    return Node(
        scheduler=scheduler,
        programs=scheduler.programs(cluster.commands),
        request=replace(
            request,
            tag=JOB_NAME,
            name=JOB_NAME,
            time_seconds=min(int(seconds) + SPARE_SECONDS, chosen.time.max),
            warning_seconds=0,
        ),
        patience=seconds + site.sessions.start_timeout,
        say=say,
    )


def _groups(person: Person) -> tuple[str, ...]:
    # A group without a name cannot be meant in site.toml.
    return tuple(group.gr_name for group in grp.getgrall() if group.gr_gid in person.groups)
