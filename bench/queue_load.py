"""How often the scheduler's controller is asked because a hub is there, by the controller's own count."""

from __future__ import annotations

import argparse
import time
from typing import Any

import _crowd
from _crowd import CrowdedHub, crowded_cluster, look_at_each
from _run import Run, say
from _sdiag import count_rpcs
from _systems import Batchspawner, Clusterhub, ensure_batchspawner

ABOUT = "controller RPCs a minute with many running sessions, clusterhub beside batchspawner"
NEEDS_DEBIAN_PACKAGES = True
SETTLING_SECONDS = 15.0
"""From the start of the cluster, or of the last session, until what goes on is daily work."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many sessions, and how long to count."""
    _crowd.add_arguments(parser)
    parser.add_argument("--seconds", type=float, default=120, help="to count for, each time (default: 120)")


def measure(arguments: argparse.Namespace) -> list[Run]:
    """Runs with ``sessions`` and ``rpcs_per_minute``.

    What the cluster asks itself, counted before there is a hub, is taken off.
    """
    seconds: float = arguments.seconds
    if arguments.beside:
        ensure_batchspawner()
    with crowded_cluster() as cluster:
        say(f"counting for {seconds:.0f} s without a hub")
        time.sleep(SETTLING_SECONDS)
        idle = sum(count_rpcs(cluster, seconds).values())
        say(f"  {idle * 60 / seconds:.1f} a minute, which are taken off")

        def look(crowd: CrowdedHub) -> dict[str, Any]:
            time.sleep(SETTLING_SECONDS)
            counts = count_rpcs(crowd.cluster, seconds)
            say(f"  {counts}")
            caused = max(sum(counts.values()) - idle, 0)
            return {"rpcs_per_minute": round(caused * 60 / seconds, 1)}

        crowds = [(Batchspawner, arguments.beside), (Clusterhub, arguments.sessions)]
        return look_at_each(cluster, crowds, look)
