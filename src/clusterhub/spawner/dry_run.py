"""What a start would do, shown without doing it: `clusterhub explain`."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence

from clusterhub.errors import ClusterhubError
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import Clusters, clusters_for_a_command
from clusterhub.spawner.job_request import job_request, ticket_settings
from clusterhub.spawner.knowledge import known_of
from clusterhub.spawner.options import KEYS, parse_choice
from clusterhub.spawner.own_environment import environment_of


def explain(site: Site, person: str, profile: str, choices: Sequence[str]) -> str:
    """The exact commands and script for this choice of that person. Raises ClusterhubError."""
    given: dict[str, object] = {"profile": profile}
    for each in choices:
        key, equals, value = each.partition("=")
        if not equals:
            raise ClusterhubError(
                f"{each!r} is not a choice.", next=f"Write KEY=VALUE; keys: {', '.join(KEYS)}."
            )
        given[key] = value
    with clusters_for_a_command(site) as clusters:
        return asyncio.run(_explain(clusters, person, given))


async def _explain(clusters: Clusters, person: str, given: Mapping[str, object]) -> str:
    site = clusters.site
    account = await clusters.broker.account(person)
    known = await known_of(clusters, site.clusters)
    choice = parse_choice(given, site, account.name, account.groups, known)
    profile = site.profile_named(choice.profile)
    tag = clusters.tag(account.name, "")
    cluster = clusters.at_rest(profile.cluster)
    ticket = ticket_settings(site, tag, cluster.munge_uid)
    certificates = clusters.certificates
    request = job_request(
        site,
        profile=profile,
        choice=choice,
        account=account,
        tag=tag,
        ticket=ticket,
        authority=certificates.look_up_authority() if certificates is not None else "",
        environment=await environment_of(clusters, choice, profile, account),
    )
    scheduler = cluster.scheduler
    submission = scheduler.submission(request)
    return (
        f"# As {account.name}, with the script below on standard input:\n"
        f"{shlex.join(submission.argv)}\n"
        f"# The queue, looked at for all sessions at once:\n"
        f"{shlex.join(scheduler.queue())}\n"
        f"# To stop it:\n"
        f"{shlex.join(scheduler.cancellation('JOB'))}\n"
        f"# The script:\n"
        f"{submission.stdin}"
    )
