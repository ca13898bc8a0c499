"""Whether there is a test cluster to use: the state file alone does not say."""

from __future__ import annotations

import pytest
from tests.real_cluster import RealCluster
from tests.real_cluster import cluster as module
from tests.real_cluster.layout import HOSTS, SWITCH
from tests.real_cluster.state import State


def test_what_a_crash_of_the_machine_left_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = dict.fromkeys((*HOSTS, SWITCH.name), 2**22 + 1)  # above the highest process id there can be
    monkeypatch.setattr(module, "load", lambda: State(hosts=hosts, complete=True))
    assert not RealCluster().is_up()
