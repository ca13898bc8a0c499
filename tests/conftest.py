"""Fixtures for all suites."""

from __future__ import annotations

import sys
from pathlib import Path

# `tests.real_cluster` is imported by this name from the suites and from scripts/cluster.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.cluster_fixture import cluster, cluster_path
from tests.hub_fixture import _hub_of_somebody, hub_settings, live_hub, running_hub, site_text

__all__ = [
    "_hub_of_somebody",
    "cluster",
    "cluster_path",
    "hub_settings",
    "live_hub",
    "running_hub",
    "site_text",
]
