"""Why a session cannot be visited for a while although its job lives, in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from clusterhub.languages.text import _
from clusterhub.schedulers.model import Job, JobState


@dataclass(frozen=True)
class Absence:
    """What a person reads instead of the session."""

    heading: str
    words: str


def absence_of(job: Job | None, *, reachable: bool) -> Absence | None:
    """Why this job's session is not there now; None where nothing speaks against visiting it.

    ``reachable`` is whether its node was, when it was last looked at.
    """
    if job is not None and job.state is JobState.SUSPENDED:
        return Absence(
            _("Your session is suspended"),
            _(
                "The scheduler has suspended job {job}{on} for now. Nothing is lost: it goes on by "
                "itself, with all that its kernels hold, and so does this page."
            ).format(job=job.id, on=_on(job)),
        )
    if reachable:
        return None
    if job is None:
        return Absence(
            _("Your session cannot be reached"),
            _(
                "The hub cannot reach your session at the moment, and the scheduler does not show its "
                "job. Nothing is stopped: this page goes on by itself when it answers."
            ),
        )
    return Absence(
        _("Your session cannot be reached"),
        _(
            "The hub cannot reach job {job}{on} at the moment; the scheduler says that it runs. "
            "Nothing is lost: this page goes on by itself when the node answers. If it stays so, "
            "tell your operators."
        ).format(job=job.id, on=_on(job)),
    )


def _on(job: Job) -> str:
    return _(" on {nodes}").format(nodes=", ".join(job.nodes)) if job.nodes else ""
