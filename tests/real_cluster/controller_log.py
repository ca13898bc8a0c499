"""What the controller's log tells of cancels. Pure: from the log's text.

slurmctld writes at the level ``verbose`` (22.05.8, seen)::

    [...] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=2 uid 1001
    [...] job_signal: 9 of running JobId=2 successful 0x8004

for ``scancel 2``, and the same with ``job_signal: 10 of`` for ``scancel --signal=USR1 2``, which is no
cancel. One that it refuses is followed by ``job_str_signal() uid=1002 JobId=7 sig=9 returned: ...``, and one
of a job that is over by nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KILL = 9
_REQUEST = re.compile(r"REQUEST_KILL_JOB JobId=(\S+) uid (\d+)$")
_SIGNALLED = re.compile(r"job_signal: (\d+) of .*JobId=(\S+) ")


@dataclass(frozen=True)
class Cancel:
    """Somebody asked the controller to end a job, whatever came of it."""

    job: str
    uid: int
    """Who asked."""


def read_cancels(text: str) -> tuple[Cancel, ...]:
    """The cancels in this text of the log, in their order; not the signals that end no job."""
    asked: list[Cancel | None] = []
    latest: dict[str, int] = {}
    for line in text.splitlines():
        if request := _REQUEST.search(line):
            latest[request[1]] = len(asked)
            asked.append(Cancel(request[1], int(request[2])))
        elif (signalled := _SIGNALLED.search(line)) and signalled[2] in latest:
            place = latest.pop(signalled[2])
            if int(signalled[1]) != KILL:
                asked[place] = None
    return tuple(cancel for cancel in asked if cancel is not None)
