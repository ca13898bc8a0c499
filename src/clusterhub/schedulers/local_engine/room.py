"""Which job may start. First come, first served: only the oldest queued job may, so no two supervisors ever
decide at once."""

from __future__ import annotations

from pathlib import Path

from clusterhub.schedulers.local_engine.records import Record, is_half_made, job_directories, read_record
from clusterhub.schedulers.local_engine.supervision import is_supervised


def reason_to_wait(record: Record) -> str | None:
    """Why this queued job may not start now: ``Priority`` or ``Resources``. None: it may."""
    cpus, memory = record.cpus, record.memory or 0
    for directory in job_directories(Path(record.engine)):
        number = int(directory.name)
        if number == record.id:
            continue
        other = read_record(directory)
        if other is None:
            if number < record.id and is_half_made(directory):
                return "Priority"
        elif not other.is_over and is_supervised(other):
            if other.state != "queued":
                cpus += other.cpus
                memory += other.memory or 0
            elif number < record.id:
                return "Priority"
    if is_more(cpus, record.capacity_cpus) or is_more(memory, record.capacity_memory):
        return "Resources"
    return None


def is_more(amount: int | None, capacity: int | None) -> bool:
    """True where both are limited and the amount is beyond the capacity."""
    return amount is not None and capacity is not None and amount > capacity
