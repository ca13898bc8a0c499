"""What the hub's pages say while a scheduler does not do, or does not tell, what it is asked."""

from __future__ import annotations

from clusterhub.languages.text import _
from clusterhub.spawner.clusters import Clusters


def notices(clusters: Clusters, person: str) -> tuple[str, ...]:
    """One sentence for each thing that is not as this person may think."""
    return (*_out_of_sight(clusters), *_being_stopped(clusters, person))


def _out_of_sight(clusters: Clusters) -> tuple[str, ...]:
    return tuple(
        _(
            "The scheduler of {name} cannot be reached at the moment. Sessions go on and jobs keep "
            "their place in the queue; new sessions can be started when it is back."
        ).format(name=name)
        for name in clusters.site.clusters
        if clusters.at_rest(name).watch.snapshot.error is not None
    )


def _being_stopped(clusters: Clusters, person: str) -> tuple[str, ...]:
    return tuple(
        _(
            "Job {job} on {cluster}, which you stopped, is still being stopped: the scheduler has "
            "not taken that yet, and is asked until it has. You can start again meanwhile."
        ).format(job=doomed.job, cluster=doomed.cluster)
        for doomed in clusters.cancellations.not_taken(person)
    )
