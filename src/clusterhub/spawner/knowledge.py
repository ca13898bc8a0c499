"""What is known of the clusters when somebody chooses: what all people share of survey and accounting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from clusterhub.schedulers.associations import Associations
from clusterhub.schedulers.capacity import Survey
from clusterhub.schedulers.surveying import TO_CHOOSE

if TYPE_CHECKING:
    from clusterhub.spawner.clusters import Clusters

PATIENCE = 1.0
"""Seconds that somebody who chooses is kept waiting for what a cluster says."""


@dataclass(frozen=True)
class Known:
    """What one cluster says; None where nobody can tell at the moment."""

    survey: Survey | None = None
    associations: Associations | None = None


NOTHING = Known()
NOWHERE: Mapping[str, Known] = MappingProxyType({})


async def known_of(clusters: Clusters, names: Iterable[str]) -> Mapping[str, Known]:
    """What is known of each of these clusters; nobody is asked again for what is fresh enough."""

    async def ask(name: str) -> Known:
        watch = clusters.at_rest(name).watch
        survey = watch.surveying.survey(PATIENCE, TO_CHOOSE)
        return Known(*await asyncio.gather(survey, watch.accounts.associations(PATIENCE)))

    wanted = list(names)
    return dict(zip(wanted, await asyncio.gather(*map(ask, wanted)), strict=True))
