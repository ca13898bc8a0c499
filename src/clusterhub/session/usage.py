"""How much memory and CPU this session's job uses on its node: by its cgroup, else by our processes.

Of a job with several nodes it is what it uses on this one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

INTERVAL = 20.0
"""Seconds between two looks, which touch nothing but the kernel's own files."""

FIRST = 3.0
"""Seconds from the first look, which only begins to count, to the second."""

SILENCE = 600.0
"""Seconds after which the hub is told although nothing has changed: it may have been restarted. A thousand
idle sessions are then less than two questions in a second."""

PAUSE = 60.0
"""Seconds between two reports of what has changed."""

NEWS_BYTES = 64 << 20
NEWS_SHARE = 0.05
NEWS_MILLICORES = 100
"""By how much memory (by either) or CPU must differ from what the hub was told to be news."""


class Meter:
    """What the job uses; ``proc`` and ``cgroups`` are where the kernel tells it."""

    def __init__(self, job: str, proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> None:
        self._job, self._proc, self._cgroups = job, proc, cgroups
        self.now: dict[str, int] | None = None
        """``memory`` in bytes and ``millicores``, of the latest look; None before the second."""
        self._told: dict[str, int] | None = None
        self._told_at = 0.0
        self._before: tuple[float, float] | None = None

    def look(self) -> None:
        """Sees what is used now. Takes milliseconds, more with thousands of processes."""
        memory, cpu = self._of_cgroup()
        if memory is None or cpu is None:
            tree = list(self._processes())
            if memory is None:
                memory = memory_of(tree, os.sysconf("SC_PAGE_SIZE"))
            if cpu is None:
                cpu = sum(each.ticks for each in tree) / os.sysconf("SC_CLK_TCK")
        now, before = time.monotonic(), self._before
        self._before = (now, cpu)
        if before is not None and now > before[0]:
            # A process that left no account of its time behind makes the sum smaller.
            cores = max(0.0, cpu - before[1]) / (now - before[0])
            self.now = {"memory": memory, "millicores": round(1000 * cores)}

    @property
    def is_news(self) -> bool:
        """Whether the hub should hear it."""
        since = time.monotonic() - self._told_at
        if self.now is None or (self._told is not None and since < PAUSE):
            return False
        return self._told is None or since >= SILENCE or differ(self.now, self._told)

    def told(self, what: dict[str, int] | None) -> None:
        """The hub has heard that, or was away when it should have."""
        self._told, self._told_at = what, time.monotonic()

    def _of_cgroup(self) -> tuple[int | None, float | None]:
        """Bytes and seconds of CPU; None for what no cgroup of the job's tells."""
        try:
            with open(os.path.join(self._proc, "self", "cgroup"), encoding="ascii") as file:
                lines = [line.rstrip("\n").split(":", 2) for line in file]
        except (OSError, UnicodeDecodeError):
            return None, None
        paths = {line[1]: job_part(line[2], self._job) for line in lines if len(line) > 2}  # noqa: PLR2004 - proc(5)
        jobs = {controllers: path for controllers, path in paths.items() if path}
        found = [self._of_version_2(path) for controllers, path in jobs.items() if not controllers]
        found += [self._of_version_1(controllers, path) for controllers, path in jobs.items() if controllers]
        memory = [each[0] for each in found if each[0] is not None]
        cpu = [each[1] for each in found if each[1] is not None]
        return (memory[0] if memory else None), (cpu[0] if cpu else None)

    def _of_version_2(self, path: str) -> tuple[int | None, float | None]:
        root = self._cgroups
        if not os.path.isdir(root + path):  # beside version 1
            root = os.path.join(root, "unified")
        memory = without_cache(root + path, "memory.current", "inactive_file")
        used = numbers(root + path, "cpu.stat").get("usage_usec")
        return memory, (None if used is None else used / 1e6)

    def _of_version_1(self, controllers: str, path: str) -> tuple[int | None, float | None]:
        there = os.path.join(self._cgroups, controllers) + path
        if controllers == "memory":
            return without_cache(there, "memory.usage_in_bytes", "total_inactive_file"), None
        used = number(there, "cpuacct.usage")
        if used is None:
            used = number(os.path.join(self._cgroups, "cpuacct") + path, "cpuacct.usage")
        return None, (None if "cpuacct" not in controllers or used is None else used / 1e9)

    def _processes(self) -> Iterator[Process]:
        """This process and all below it."""
        found: dict[int, list[Process]] = {}
        here = os.getpid()
        for name in os.listdir(self._proc):
            if not name.isdigit():
                continue
            try:
                with open(os.path.join(self._proc, name, "stat"), "rb") as file:
                    stat = file.read()
                with open(os.path.join(self._proc, name, "statm"), "rb") as file:
                    statm = file.read()
                process = Process(int(name), stat, statm)
            except (OSError, ValueError, IndexError):
                continue  # it has ended meanwhile
            if process.pid == here:
                yield process
            found.setdefault(process.parent, []).append(process)
        below = [here]
        while below:
            for process in found.pop(below.pop(), []):
                yield process
                below.append(process.pid)


class Process:
    """One process, by what /proc/PID/stat and statm say (proc(5))."""

    def __init__(self, pid: int, stat: bytes, statm: bytes) -> None:
        # The second field is the program's name in brackets, which may have any character in it.
        fields = stat[stat.rindex(b")") + 2 :].split()
        self.pid, self.parent = pid, int(fields[1])
        # Its own time, and that of children that have ended and were waited for.
        self.ticks = sum(int(each) for each in fields[11:15])
        self.resident, self.shared = (int(each) for each in statm.split()[1:3])


def memory_of(processes: list[Process], page: int) -> int:
    """Bytes that they hold: what is shared, such as libraries, is counted once, as far as it can be told.

    The kernel could say it exactly (smaps_rollup), but walks through all of a process's memory for that.
    """
    own = sum(max(0, each.resident - each.shared) for each in processes)
    return page * (own + max((each.shared for each in processes), default=0))


def job_part(path: str, job: str) -> str:
    """The path of the job's own cgroup; empty where the path is not in one."""
    parts = path.split("/")
    name = "job_%s" % job
    return "/".join(parts[: parts.index(name) + 1]) if job and name in parts and ".." not in parts else ""


def differ(now: dict[str, int], told: dict[str, int]) -> bool:
    """Whether somebody who looks at it would care."""
    memory = abs(now["memory"] - told["memory"])
    if memory > max(NEWS_BYTES, NEWS_SHARE * told["memory"]):
        return True
    return abs(now["millicores"] - told["millicores"]) >= NEWS_MILLICORES


def without_cache(directory: str, total: str, cache: str) -> int | None:
    """Bytes of a cgroup without what the kernel would give back at once; None where it does not tell."""
    all_of_it = number(directory, total)
    return None if all_of_it is None else max(0, all_of_it - numbers(directory, "memory.stat").get(cache, 0))


def number(directory: str, name: str) -> int | None:
    """The number that is all of such a file; None where there is none."""
    try:
        with open(os.path.join(directory, name), encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def numbers(directory: str, name: str) -> dict[str, int]:
    """The numbers in a file of words and numbers, a pair on each line; none where there is no such file."""
    try:
        with open(os.path.join(directory, name), encoding="ascii") as file:
            pairs = [line.split() for line in file]
        return {pair[0]: int(pair[1]) for pair in pairs}
    except (OSError, ValueError, IndexError):
        return {}
