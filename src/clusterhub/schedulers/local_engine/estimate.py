"""When a job would start that is submitted now: first come, first served, each for as long as it may."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from clusterhub.schedulers.local_engine.records import Record, Request, job_directories, read_record
from clusterhub.schedulers.local_engine.room import is_more
from clusterhub.schedulers.local_engine.supervision import is_supervised


class Load(NamedTuple):
    """What a job takes, until when (seconds since the epoch) or for how long (seconds)."""

    cpus: int
    memory: int
    ends: float = math.inf
    lasts: float = math.inf


def estimate(engine: Path, request: Request) -> float:
    """Seconds since the epoch; now where there is room. No job ends before its time for all we know."""
    now = time.time()
    records = [record for directory in job_directories(engine) if (record := read_record(directory))]
    live = [record for record in records if not record.is_over and is_supervised(record)]
    running = [_running(record, now) for record in live if record.state != "queued"]
    queued = [_load(record) for record in live if record.state == "queued"]
    capacity = (request.capacity_cpus, request.capacity_memory)
    return starts_at(now, capacity, running, [*queued, _load(request)])


def starts_at(
    now: float, capacity: tuple[int | None, int | None], running: Iterable[Load], queued: Sequence[Load]
) -> float:
    """When the last of those that are queued starts. Each fits where nothing else runs."""
    busy = sorted(running, key=lambda load: load.ends)
    at = now
    for load in queued:
        while busy and not _fits(load, busy, capacity):
            at = max(at, busy.pop(0).ends)
        busy = sorted([*busy, load._replace(ends=at + load.lasts)], key=lambda each: each.ends)
    return at


def _fits(load: Load, busy: Iterable[Load], capacity: tuple[int | None, int | None]) -> bool:
    loads = [load, *busy]
    cpus, memory = sum(each.cpus for each in loads), sum(each.memory for each in loads)
    return not is_more(cpus, capacity[0]) and not is_more(memory, capacity[1])


def _load(asked: Record | Request) -> Load:
    return Load(asked.cpus, asked.memory or 0, lasts=asked.time)


def _running(record: Record, now: float) -> Load:
    """One that is past its time is being ended."""
    ends = max(now, (record.started_at or now) + record.time)
    return _load(record)._replace(ends=ends)
