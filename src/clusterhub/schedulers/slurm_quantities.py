"""Slurm's ways to write durations, sizes, times and exit codes."""

from __future__ import annotations

import math
import re
import signal as signals

from clusterhub.schedulers.model import Memory

MEBIBYTE = 1024**2
LARGEST_EXIT_CODE = 255
_DURATION = re.compile(r"(?:(?P<days>\d+)-)?(?P<clock>\d+(?::\d+){0,2})(?:\.\d+)?")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[KMGTPE]?)", re.IGNORECASE)
_NOT_KNOWN = frozenset({"", "N/A", "n/a", "NONE", "None", "Unknown", "(null)", "NOT_SET", "INVALID"})


def write_duration(seconds: int) -> str:
    """Seconds as ``D-HH:MM:SS``, which no version of Slurm reads in another way."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{day}-{hour:02}:{minute:02}:{second:02}"


def write_memory(memory: Memory) -> str:
    """The amount in whole mebibytes, rounded up, as ``4096M``."""
    return f"{math.ceil(memory.bytes / MEBIBYTE)}M"


def read_duration(text: str) -> int | None:
    """Seconds of what squeue and sacct print (``30:00``, ``1-12``, ``UNLIMITED``); None for no number.

    As the man pages have it: ``MM``, ``MM:SS``, ``HH:MM:SS``, ``D-HH``, ``D-HH:MM``, ``D-HH:MM:SS``.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    parts = [int(part) for part in match["clock"].split(":")]
    if match["days"] is not None:
        hour, minute, second = [*parts, 0, 0][:3]
        return ((int(match["days"]) * 24 + hour) * 60 + minute) * 60 + second
    if len(parts) == 1:
        return parts[0] * 60
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + part
    return seconds


def read_size(text: str) -> int | None:
    """Bytes of what sacct prints (``1234K``, ``1.5G``, a bare number is bytes); None for no number."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    return int(float(match["number"]) * 1024 ** " KMGTPE".index(match["unit"].upper() or " "))


def read_time(text: str) -> float | None:
    """Seconds since the epoch as printed with ``SLURM_TIME_FORMAT=%s``; None where Slurm has no time.

    Raises ValueError for anything else: then the format was not taken, and no time can be trusted.
    """
    word = text.strip()
    if word in _NOT_KNOWN:
        return None
    seconds = int(word)
    return float(seconds) if seconds > 0 else None


def read_wait_status(text: str) -> tuple[int | None, int | None]:
    """Exit code and signal of squeue's ``exit_code``: a bare wait status on 22.05, ``code:signal`` later.

    A job that could not be launched has one of Slurm's own error numbers there instead (seen: 4021 on 22.05
    for JobLaunchFailure); it is no wait status, so it is given as no exit code at all.
    """
    if ":" in text:
        return read_exit_code(text)
    status = int(text)
    code, signal = status >> 8, status & 0x7F
    if code > LARGEST_EXIT_CODE or (code and signal) or signal >= signals.NSIG:
        return None, None
    return code, signal or None


def read_exit_code(text: str) -> tuple[int | None, int | None]:
    """Exit code and signal of sacct's ``code:signal``. 125, Slurm's mark for out of memory, is no signal."""
    code, _, number = text.partition(":")
    if not code.isdigit() or not (number or "0").isdigit():
        return None, None
    signal = int(number or 0)
    return int(code), signal if 0 < signal < signals.NSIG else None
