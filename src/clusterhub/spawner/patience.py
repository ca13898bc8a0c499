"""How long a start may take: in the queue, and from there on."""

from __future__ import annotations

from clusterhub.errors import ClusterhubError
from clusterhub.languages.text import _
from clusterhub.site.quantities import format_duration
from clusterhub.site.schema import Site


class WaitedTooLong(ClusterhubError):
    """The job was in the queue for as long as is allowed."""


def check_patience(site: Site, job: str, *, waited: float, ran: float | None) -> None:
    """Raises ClusterhubError where that was too long.

    The start's clock runs only while the job does: waiting in the queue is no failure. ``waited`` are seconds
    since it was submitted, ``ran`` those for which it runs; None while it does not.
    """
    sessions = site.sessions
    if ran is not None and ran > sessions.start_timeout:
        raise ClusterhubError(
            _("Jupyter did not start within {time} on the node.").format(
                time=format_duration(sessions.start_timeout)
            ),
            where=_("job {job}").format(job=job),
            next=_("Start it again; if that fails too, tell your operators."),
        )
    if ran is None and waited > sessions.queue_timeout:
        raise WaitedTooLong(
            _("The job waited for {time}, as long as is allowed here.").format(
                time=format_duration(sessions.queue_timeout)
            ),
            where=_("job {job}").format(job=job),
            next=_("Choose a profile that asks for less, or try again later."),
        )
