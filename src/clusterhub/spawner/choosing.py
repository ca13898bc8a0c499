"""What somebody chose, judged when a start begins: by the operator's rules, then by what clusters say."""

from __future__ import annotations

from clusterhub.privileged.broker import Account
from clusterhub.spawner.clusters import Clusters
from clusterhub.spawner.knowledge import known_of
from clusterhub.spawner.options import Choice, parse_choice


async def choice_of(clusters: Clusters, given: object, account: Account, *, goes_on: bool) -> Choice:
    """The choice. Raises ChoiceRefused.

    ``goes_on``: the start was judged when it began, and what has changed since must not end it.
    """
    # At once, and without a question to any scheduler, where that settles it.
    choice = parse_choice(given, clusters.site, account.name, account.groups)
    if goes_on:
        return choice
    known = await known_of(clusters, clusters.site.clusters)
    return parse_choice(given, clusters.site, account.name, account.groups, known)
