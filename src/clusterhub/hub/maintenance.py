"""When the nodes that a person may use are in maintenance, by the schedulers' own reservations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clusterhub.errors import ClusterhubError
from clusterhub.languages.text import _
from clusterhub.schedulers.capacity import Reservation, Survey
from clusterhub.schedulers.surveying import TO_CHOOSE
from clusterhub.site.quantities import format_duration
from clusterhub.site.schema import Profile
from clusterhub.spawner.clusters import ACCOUNT_AGE, Clusters

PATIENCE = 0.5
"""Seconds that a page waits for a new survey; then an older one has to do."""

AHEAD = 14 * 86400.0
"""Seconds for which maintenance is told before it begins."""

MOST = 5
"""Maintenances that one page tells of."""

ROUNDING = 300
"""Seconds: nobody chooses their time by the minute."""


@dataclass(frozen=True)
class Maintenance:
    """One reservation for maintenance, as it touches a person. Times are seconds since the epoch."""

    cluster: str
    nodes: str
    """How many of the person's nodes, in words."""
    begins_at: float
    ends_at: float
    has_begun: bool
    is_whole: bool
    """Whether no node is left for any of the person's profiles on that cluster."""
    longest: str
    """How long a session may be, in words, that is started now and over before."""
    too_long: tuple[str, ...]
    """The titles of profiles whose preset time is longer than that."""


async def maintenance(clusters: Clusters, person: str) -> list[Maintenance]:
    """What is to be told to that person; nothing where nobody can tell."""
    try:
        account = await clusters.broker.account(person, max_age=ACCOUNT_AGE)
    except ClusterhubError:
        return []
    offered = clusters.site.profiles_for(account.name, tuple(account.groups))
    names = sorted({profile.cluster for profile in offered})
    surveys = await asyncio.gather(
        *(clusters.at_rest(name).watch.surveying.survey(PATIENCE, TO_CHOOSE) for name in names)
    )
    now = time.time()
    found: list[Maintenance] = []
    for name, survey in zip(names, surveys, strict=True):
        if survey is not None:
            profiles = [profile for profile in offered if profile.cluster == name]
            found += told_of(survey, name, profiles, now)
    return sorted(found, key=lambda each: each.begins_at)[:MOST]


def told_of(survey: Survey, cluster: str, profiles: Sequence[Profile], now: float) -> Iterator[Maintenance]:
    """The maintenances of a cluster that touch nodes of these profiles. Pure."""
    ours = (
        frozenset().union(*(nodes_of(survey, profile) for profile in profiles)) if profiles else frozenset()
    )
    for each in survey.reservations:
        if not each.is_maintenance or each.ends_at <= now or each.begins_at > now + AHEAD:
            continue
        touched = ours & each.nodes
        if touched:
            yield _told(each, (len(touched), len(ours)), cluster, profiles, now)


def nodes_of(survey: Survey, profile: Profile) -> frozenset[str]:
    """The nodes where sessions of that profile may run, by their partitions."""
    wanted = set(profile.partition) or {each.name for each in survey.partitions.values() if each.is_default}
    return frozenset(node.name for node in survey.nodes if node.partitions & wanted)


def _told(
    reservation: Reservation, nodes: tuple[int, int], cluster: str, profiles: Sequence[Profile], now: float
) -> Maintenance:
    """``nodes``: how many of the person's it has, and how many there are."""
    touched, ours = nodes
    seconds = max(0, int(reservation.begins_at - now)) // ROUNDING * ROUNDING
    whole = touched == ours
    return Maintenance(
        cluster=cluster,
        nodes=_("all nodes") if whole else _("{touched} of {all} nodes").format(touched=touched, all=ours),
        begins_at=reservation.begins_at,
        ends_at=reservation.ends_at,
        has_begun=reservation.begins_at <= now,
        is_whole=whole,
        longest=format_duration(seconds) if seconds else _("a few minutes"),
        too_long=tuple(profile.title for profile in profiles if profile.time.default > seconds)
        if whole
        else (),
    )
