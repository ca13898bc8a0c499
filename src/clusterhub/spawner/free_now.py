"""What is free at the moment for each profile, as one survey of its cluster says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clusterhub.schedulers.capacity import Amount, Survey, Wish
from clusterhub.schedulers.model import Gpus, Memory
from clusterhub.site.schema import Profile
from clusterhub.spawner.clusters import Clusters

PATIENCE = 1.0
"""Seconds that a page waits for a new survey."""


@dataclass(frozen=True)
class FreeNow:
    """Of the nodes that a profile may use. Memory is in bytes."""

    cpus: Amount
    memory: Amount
    gpus: Mapping[str, Amount]
    """Of the type that the profile asks for, or of each; empty where it asks for none."""
    fits: bool
    """Whether what the profile presets is free at once."""
    taken_at: float
    """Seconds since the epoch."""

    def as_json(self) -> dict[str, Any]:
        """As the REST API tells it."""
        return {
            "cpus": asdict(self.cpus),
            "memory": asdict(self.memory),
            "gpus": {kind: asdict(amount) for kind, amount in self.gpus.items()},
            "fits": self.fits,
            "taken_at": self.taken_at,
        }


async def _surveys(clusters: Clusters, profiles: Sequence[Profile]) -> Mapping[str, Survey | None]:
    """What is known of each cluster of these profiles: of all people the same."""
    names = sorted({profile.cluster for profile in profiles})
    found = await asyncio.gather(*(clusters.at_rest(name).watch.surveying.survey(PATIENCE) for name in names))
    return dict(zip(names, found, strict=True))


async def free_now(clusters: Clusters, profiles: Sequence[Profile]) -> Mapping[str, FreeNow]:
    """For each profile of which something can be told, by its name."""
    surveys = await _surveys(clusters, profiles)
    told = {profile.name: free_for(surveys[profile.cluster], profile) for profile in profiles}
    return {name: free for name, free in told.items() if free is not None}


def free_for(survey: Survey | None, profile: Profile) -> FreeNow | None:
    """What is free for the profile; None where nobody can tell."""
    free = survey.free(wish_of(profile)) if survey is not None else None
    if survey is None or free is None:
        return None
    gpus: dict[str, Amount] = {}
    if profile.gpus is not None:
        kind = profile.gpus.type
        gpus = {name: each for name, each in sorted(free.gpus.items()) if kind in (None, name)}
        gpus = gpus or {kind or "": Amount()}
    return FreeNow(free.cpus, free.memory, gpus, free.fits, survey.taken_at)


def wish_of(profile: Profile) -> Wish:
    """What a person gets who changes nothing of what the profile presets."""
    memory, gpus = profile.memory, profile.gpus
    return Wish(
        partitions=profile.partition,
        cpus=profile.cpus.default,
        memory=Memory(memory.default, "cpu" if memory.per == "cpu" else "node") if memory else None,
        gpus=Gpus(gpus.default, gpus.type) if gpus and gpus.default else None,
        nodes=profile.nodes.default,
        time_seconds=profile.time.default,
        reservation=profile.reservation,
        constraint=profile.constraint,
    )
