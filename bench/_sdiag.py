"""What the controller was asked, counted by the controller itself."""

from __future__ import annotations

import re
import time

from tests.real_cluster import RealCluster

_SECTION = "Remote Procedure Call statistics by message type"
_OF_NODES = "MESSAGE_NODE_REGISTRATION_STATUS"
"""Each node's own report to the controller, every few minutes, hub or no hub."""
_COUNT = re.compile(r"^\s+(\w+)\s*\(\s*\d+\)\s*count:(\d+)")


def read_rpcs(text: str) -> dict[str, int]:
    """Calls by type of message, without the nodes' own reports, from sdiag's answer.

    Raises ValueError where it has no such section.
    """
    _, found, rest = text.partition(_SECTION)
    if not found:
        raise ValueError(f"sdiag printed no {_SECTION!r}: {text[:200]}")
    counts: dict[str, int] = {}
    for line in rest.splitlines()[1:]:
        match = _COUNT.match(line)
        if match is None:
            break
        if match[1] != _OF_NODES:
            counts[match[1]] = int(match[2])
    return counts


def count_rpcs(cluster: RealCluster, seconds: float) -> dict[str, int]:
    """Calls by type of message within so many seconds from now, those of this count's own among them."""
    _sdiag(cluster, "--reset")
    time.sleep(seconds)
    return read_rpcs(_sdiag(cluster))


def _sdiag(cluster: RealCluster, *options: str) -> str:
    asked = cluster.run("gateway", ["sdiag", *options])
    asked.check_returncode()
    return asked.stdout
