"""What is free at the moment for each profile, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from clusterhub.languages.text import _, joined
from clusterhub.schedulers.capacity import Amount, Free, Survey, Wish
from clusterhub.schedulers.model import Gpus, Memory
from clusterhub.site.schema import Profile
from clusterhub.spawner.clusters import Clusters

PATIENCE = 1.0
"""Seconds that a page waits for a new survey."""


async def free_now(clusters: Clusters, profiles: Sequence[Profile]) -> Mapping[str, str]:
    """A sentence for each profile of which something can be told, by its name."""
    names = sorted({profile.cluster for profile in profiles})
    found = await asyncio.gather(*(clusters.at_rest(name).watch.surveying.survey(PATIENCE) for name in names))
    surveys = dict(zip(names, found, strict=True))
    told = {profile.name: sentence(surveys[profile.cluster], profile) for profile in profiles}
    return {name: words for name, words in told.items() if words}


def sentence(survey: Survey | None, profile: Profile) -> str:
    """What is free for the profile; empty where nobody can tell."""
    free = survey.free(wish_of(profile)) if survey is not None else None
    if free is None:
        return ""
    if not free.cpus.total:
        return _("None of its nodes can be had at the moment.")
    told = _("Free now: {amounts}.").format(amounts=joined(_amounts(free, profile), ", "))
    return told if free.fits else joined([told, _("What is preset would have to wait.")])


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


def _amounts(free: Free, profile: Profile) -> list[str]:
    told: list[str] = [_("{free} of {total} cores").format(free=free.cpus.free, total=free.cpus.total)]
    if profile.gpus is not None:
        kind = profile.gpus.type
        gpus = {name: each for name, each in free.gpus.items() if kind in (None, name)}
        for name, amount in sorted(gpus.items()) or [(kind or "", Amount())]:
            words = _("{free} of {total} GPUs").format(free=amount.free, total=amount.total)
            told.append(words + f" ({name})" if name else words)
    return told
