"""What many running sessions cost the hub's machine while nobody does anything."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import _crowd
from _crowd import CrowdedHub, crowded_cluster, look_at_each
from _run import Run
from _systems import Batchspawner, Clusterhub, ensure_batchspawner

ABOUT = "share of a core that the hub needs for many running sessions, clusterhub beside batchspawner"
NEEDS_DEBIAN_PACKAGES = True
SETTLING_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many sessions, and how long to look."""
    _crowd.add_arguments(parser)
    parser.add_argument("--seconds", type=float, default=60, help="to look for, each time (default: 60)")


def measure(arguments: argparse.Namespace) -> list[Run]:
    """Runs with ``sessions`` and ``cpu_share``: JupyterHub's process, with the commands that it runs."""
    if arguments.beside:
        ensure_batchspawner()

    def look(crowd: CrowdedHub) -> dict[str, Any]:
        time.sleep(SETTLING_SECONDS)
        process = crowd.process()
        began, before = time.monotonic(), _cpu_seconds(process)
        time.sleep(arguments.seconds)
        used, took = _cpu_seconds(process) - before, time.monotonic() - began
        return {"cpu_share": round(used / took, 4)}

    with crowded_cluster() as cluster:
        crowds = [(Batchspawner, arguments.beside), (Clusterhub, arguments.sessions)]
        return look_at_each(cluster, crowds, look)


def _cpu_seconds(pid: int) -> float:
    """Of a process and of those of its children that have ended (proc(5): utime, stime, cutime, cstime)."""
    _, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    return sum(int(ticks) for ticks in rest.split()[11:15]) / os.sysconf("SC_CLK_TCK")
