"""What JupyterHub is told of a session that did not start, or is over."""

from __future__ import annotations

from jupyterhub.spawner import SpawnException

from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.languages.text import _, told
from clusterhub.schedulers.model import Job
from clusterhub.spawner.explanations import BY_SIGNAL
from clusterhub.spawner.messages import as_html
from clusterhub.spawner.options import ChoiceRefused

TAKEN_BACK = Explanation(
    _("The scheduler has taken your session's job back, and runs it again."),
    next=_("Files are as they were saved; what kernels held in memory is lost."),
)

REQUEUED = 75
"""The exit status of a server whose job runs again: EX_TEMPFAIL of sysexits.h."""

BAD_REQUEST = 400
FAILED_DEPENDENCY = 424
"""HTTP status of a start that the cluster could not follow: neither the hub nor the request was at fault."""


def exit_status(job: Job | None) -> int:
    """Of a job that is over, as a shell says it; 1 where nobody knows how it ended."""
    if job is None:
        return 1
    return BY_SIGNAL + job.signal if job.signal else job.exit_code or 0


class NotStarted(SpawnException):
    """Why a session did not start, in the forms in which JupyterHub shows it."""

    def __init__(self, error: ClusterhubError) -> None:
        explanation = error.explanation
        super().__init__(
            explanation.what,
            reason=type(error).__name__,
            log_message=str(error),
            message_html=as_html(explanation),
            status_code=BAD_REQUEST if isinstance(error, ChoiceRefused) else FAILED_DEPENDENCY,
        )
        self._explanation = explanation

    @property
    def jupyterhub_message(self) -> str:
        """For the REST API and for the waiting page; in the language of whoever asks, which may be later."""
        return f"{told(self._explanation.what)} {told(self._explanation.next)}".strip()

    @property
    def jupyterhub_html_message(self) -> str:
        """For a page, as above."""
        return as_html(self._explanation)
