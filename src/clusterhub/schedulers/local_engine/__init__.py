"""The embedded engine: runs jobs as processes on this machine. A program of its own, run by the hub's Python.

    python -I -m clusterhub.schedulers.local_engine submit --directory=D --name=N --tag=T --time=60 --output=L
    python -I -m clusterhub.schedulers.local_engine estimate --directory=D ... (as submit)
    python -I -m clusterhub.schedulers.local_engine queue --directory=D [--name=N]
    python -I -m clusterhub.schedulers.local_engine cancel --directory=D ID
    python -I -m clusterhub.schedulers.local_engine end-all --directory=D

There is no daemon. Each job has a directory ``D/jobs/<id>`` and a process that supervises it from the submit
to the end, which alone writes ``record.json``. It outlives whoever submitted the job, and the version of
clusterhub that did. A record that is not ended and whose supervisor is gone (killed, or the machine was
restarted) is a job that its node lost; whoever looks next says so.

Standard library only, and little of it: the hub runs `queue` every few seconds.
"""

PROGRAM = "local-engine"
REFUSED = 2
"""Exit code for a request that is not taken."""


class Refused(Exception):
    """A request that is not taken; its text says why."""
