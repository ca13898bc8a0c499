"""What squeue is asked for, and how its answer is read.

A job's comment is its owner's to write, and squeue prints it raw, with new lines in it (seen on 22.05 and in
the sources of 26.05): whoever cuts the answer at new lines and delimiters lets anybody write lines about
anybody's job. So every field up to and including the comment has a fixed width in bytes, to which squeue pads
and cuts, and is read by its place. The rest of the record is written by the controller and ends at the first
new line.
"""

from __future__ import annotations

import re

from clusterhub.schedulers.hostlist import expand_hostlist
from clusterhub.schedulers.model import Job, JobState
from clusterhub.schedulers.slurm_quantities import read_duration, read_time, read_wait_status
from clusterhub.schedulers.slurm_states import read_state

_WIDTHS = {
    "JobID": 12,
    "State": 24,
    "RestartCnt": 8,
    "SubmitTime": 16,
    "StartTime": 16,
    "EndTime": 16,
    "TimeUsed": 20,
    "UserName": 64,
    "Partition": 256,
    "Reason": 128,
    "Name": 64,
    "Comment": 256,
}
# After the comment: squeue of later versions may leave the exit code out without padding, and never cuts the
# nodes.
_TAIL = {"exit_code": 12, "NodeList": 64}
FORMAT = ",".join(f"{field}:{width}" for field, width in (_WIDTHS | _TAIL).items())
_RECORD = sum(_WIDTHS.values())
_EXIT_CODE = re.compile(r"\d+(?::\d+)?")
# A reason that squeue prints for a job that waits or ended for no reason worth a word.
_NO_REASON = frozenset({"None", "(null)", ""})


def read_queue(text: str, job_name: str) -> dict[str, Job]:
    """The jobs by id. Raises ValueError for an answer that is cut short or garbled."""
    answer = text.encode("utf-8", "surrogateescape")
    jobs: dict[str, Job] = {}
    position = 0
    while position < len(answer):
        head = answer[position : position + _RECORD]
        end = answer.find(b"\n", position + _RECORD)
        if len(head) < _RECORD or end < 0:
            raise ValueError(f"it breaks off in the record that begins {_show(head)}")
        job = _read_record(head, answer[position + _RECORD : end])
        if job.name == job_name:
            jobs[job.id] = job
        position = end + 1
    return jobs


def _read_record(head: bytes, tail: bytes) -> Job:
    record: dict[str, str] = {}
    start = 0
    for field, width in _WIDTHS.items():
        record[field] = head[start : start + width].decode("utf-8", "replace").rstrip(" ")
        start += width
    if not record["JobID"].isdigit() or not record["RestartCnt"].isdigit():
        raise ValueError(f"a record begins {_show(head)}")
    state, outcome = read_state(record["State"])
    used = read_duration(record["TimeUsed"])
    restarts = int(record["RestartCnt"])
    if record["State"] == "COMPLETING" and restarts and used == 0:
        # A job that is being requeued is COMPLETING upon PENDING while its old run is cleaned up, and squeue
        # prints the flag alone (seen on 22.05.8). It will run again: only a pending job has used no time.
        state = JobState.QUEUED
    code, signal, nodes = _read_tail(tail.decode("utf-8", "replace"))
    reason = "" if record["Reason"] in _NO_REASON else record["Reason"]
    if reason == "JobLaunchFailure" and signal is not None:
        # Slurm's reason also for a script that a signal ended (seen on 22.05.8); that one was launched.
        reason = ""
    started = read_time(record["StartTime"])
    waits = state is JobState.QUEUED
    return Job(
        id=record["JobID"],
        state=state,
        tag=record["Comment"].replace("(null)", ""),
        person=record["UserName"],
        name=record["Name"],
        partition=record["Partition"],
        nodes=() if waits else nodes,
        reason=reason,
        outcome=outcome,
        exit_code=code if outcome else None,
        signal=signal if outcome else None,
        submitted_at=read_time(record["SubmitTime"]),
        started_at=None if waits or (outcome and not nodes) else started,
        expected_start=started if record["State"] == "PENDING" else None,
        ends_at=None if waits else read_time(record["EndTime"]),
        restarts=restarts,
    )


def _read_tail(tail: str) -> tuple[int | None, int | None, tuple[str, ...]]:
    words = tail.split()
    code: int | None = None
    signal: int | None = None
    if words and _EXIT_CODE.fullmatch(words[0]):
        code, signal = read_wait_status(words.pop(0))
    if len(words) > 1:
        raise ValueError(f"a record ends {tail.strip()[:80]!r}")
    nodes = words[0] if words else ""
    return code, signal, () if nodes in ("(null)", "n/a") else expand_hostlist(nodes)


def _show(head: bytes) -> str:
    return repr(" ".join(head[:80].decode("utf-8", "replace").split()))
