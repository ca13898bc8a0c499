"""How many jobs are ahead of one that waits, from one answer of squeue about all jobs that wait.

Slurm's own order within a partition is by priority, then by number. A job counts as ahead of another if it
may start before it: one that is held, that waits for another job or a date, or whose account or quality of
service is at a limit, does not, as it stands in nobody's way. What is told is so of the partition alone: jobs
of other partitions may want the same nodes.

The reason may hold text that is not the controller's own, so it is cut at a fixed width in bytes and read by
its place; see `clusterhub.schedulers.slurm_queue`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from clusterhub.schedulers.model import Job, JobState, Position
from clusterhub.schedulers.slurm_reasons import wait_reason

_WIDTHS = {"%A": 12, "%Q": 12, "%r": 48}
FORMAT = "".join(f"%{width}{field[1:]}" for field, width in _WIDTHS.items()) + "|%K|%P"
"""Job id, priority, reason, the tasks of an array, partitions."""
_RECORD = sum(_WIDTHS.values())
_PRIVATE = re.compile(r"^PrivateData\s*=\s*(\S*)", re.MULTILINE)
_TASKS = re.compile(r"(?P<first>\d+)(?:-(?P<last>\d+)(?::(?P<step>\d+))?)?")
CUT_SHORT = "..."
"""With which squeue ends a list of tasks that is longer than SLURM_BITSTR_LEN (64 bytes)."""


@dataclass(frozen=True)
class _Waiting:
    id: int
    priority: int
    word: str
    """Its reason, in Slurm's word."""
    partitions: tuple[str, ...]
    tasks: int
    """How many jobs it stands for: those of an array that wait are one record."""
    at_least: bool

    @property
    def place(self) -> tuple[int, int]:
        """By which jobs of a partition are ordered."""
        return -self.priority, self.id


def read_positions(text: str) -> dict[str, tuple[Position, ...]]:
    """The position of each job that waits for its turn, by id. Raises ValueError for a garbled answer."""
    waiting = list(_records(text))
    ahead: dict[int, list[Position]] = defaultdict(list)
    lines: dict[str, list[_Waiting]] = defaultdict(list)
    for job in waiting:
        for partition in job.partitions:
            lines[partition].append(job)
    for partition, line in lines.items():
        count, at_least = 0, False
        for job in sorted(line, key=lambda each: each.place):
            ahead[job.id].append(Position(count, partition, at_least))
            count += job.tasks
            at_least = at_least or job.at_least
    # A job that has others ahead of it by its reason, of which none is seen: they are hidden from us.
    return {
        str(job.id): tuple(ahead[job.id])
        for job in waiting
        if job.word != "Priority" or any(position.ahead for position in ahead[job.id])
    }


def read_privacy(text: str) -> bool:
    """Whether ``scontrol show config`` says that jobs are private. Raises ValueError if it does not say."""
    found = _PRIVATE.search(text)
    if found is None:
        raise ValueError("it has no PrivateData")
    return "jobs" in found[1].split(",")


def _records(text: str) -> Iterator[_Waiting]:
    """The jobs that wait for their turn."""
    answer = text.encode("utf-8", "surrogateescape")
    position = 0
    while position < len(answer):
        head = answer[position : position + _RECORD].decode("utf-8", "replace")
        end = answer.find(b"\n", position + _RECORD)
        if end < 0:
            raise ValueError(f"it breaks off in the record that begins {head[:40]!r}")
        tail = answer[position + _RECORD : end].decode("utf-8", "replace")
        position = end + 1
        if (job := _record(head, tail)) is not None:
            yield job


def _record(head: str, tail: str) -> _Waiting | None:
    number, priority = head[:12].strip(), head[12:24].strip()
    mark, _, rest = tail.partition("|")
    tasks, bar, partitions = rest.partition("|")
    if mark.strip() or not bar or not number.isdigit() or not priority.isdigit():
        raise ValueError(f"a record begins {head[:40]!r}")
    reason = wait_reason(Job(number, JobState.QUEUED, reason=head[24:]))
    if int(priority) == 0 or (reason is not None and not reason.competes):
        return None
    count, at_least = count_tasks(tasks)
    names = tuple(filter(None, partitions.strip().split(",")))
    return _Waiting(int(number), int(priority), reason.word if reason else "", names, count, at_least)


def count_tasks(expression: str) -> tuple[int, bool]:
    """How many tasks an array has by squeue's word (``1-10,15%2``), and whether there may be more.

    1 for a job that is no array (``N/A``).
    """
    listed = expression.partition("%")[0].strip()
    cut = listed.endswith(CUT_SHORT)
    count = 0
    for part in listed.removesuffix(CUT_SHORT).split(","):
        if found := _TASKS.fullmatch(part):
            first, last, step = (int(each) if each else None for each in found.group("first", "last", "step"))
            count += 1 if last is None or first is None else max(0, last - first) // (step or 1) + 1
    return max(count, 1), cut
