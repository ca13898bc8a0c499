"""The hub's machine, the controller's and the nodes, told apart on the one machine that they all share.

On a real cluster a node's processor is not the hub's. Here each has a control group: its processor time can
be told, and the hub's machine comes first where there is not enough for all. Needs the first version of
cgroups, as the test cluster does for its own; without it there are no such figures, and all compete.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.real_cluster import RealCluster, hub, processes
from tests.real_cluster.layout import GATEWAY, NODES

from _run import say

CPU = Path("/sys/fs/cgroup/cpu")
ACCOUNT = Path("/sys/fs/cgroup/cpuacct")
SHARES: Mapping[str, int] = {"hub": 8192, "controller": 1024, "nodes": 1024}
"""Weights where processor time is short; whatever else runs here, such as who presses, has 1024."""


class Machines:
    """The processor of each."""

    def __init__(self, *, first: bool) -> None:
        """``first``: whether the hub's machine comes first; otherwise all are alike."""
        self.usable = (CPU / "release_agent").exists() and (ACCOUNT / "release_agent").exists()
        if not self.usable:
            say(
                "No control groups: nodes and hub compete for the processor, and their shares cannot be told."
            )
            return
        for name, shares in SHARES.items():
            for root in (CPU, ACCOUNT):
                (root / _group(name)).mkdir(exist_ok=True)
            (CPU / _group(name) / "cpu.shares").write_text(str(shares if first else 1024))

    def place(self, cluster: RealCluster) -> None:
        """Put every process of the cluster where it belongs; those that they start later follow them."""
        if not self.usable:
            return
        of_hub = set(hub.hub_processes(cluster))
        on_gateway = set(processes.pids_by_inner_pid(cluster.init_pid(GATEWAY.name)).values())
        on_nodes = {
            pid for node in NODES for pid in processes.pids_by_inner_pid(cluster.init_pid(node.name)).values()
        }
        self._join("hub", of_hub)
        self._join("controller", on_gateway - of_hub)
        self._join("nodes", on_nodes)

    @staticmethod
    def _join(name: str, pids: Iterable[int]) -> None:
        for root in (CPU, ACCOUNT):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    (root / _group(name) / "cgroup.procs").write_text(str(pid))

    def seconds(self) -> dict[str, float]:
        """Processor time that each has used so far."""
        if not self.usable:
            return {}
        return {name: int((ACCOUNT / _group(name) / "cpuacct.usage").read_text()) / 1e9 for name in SHARES}

    def remove(self) -> None:
        """Remove the groups. Their processes have to be gone."""
        for name in SHARES if self.usable else ():
            for root in (CPU, ACCOUNT):
                with contextlib.suppress(OSError):
                    (root / _group(name)).rmdir()


@contextlib.contextmanager
def machines(*, first: bool) -> Iterator[Machines]:
    """The groups while this holds."""
    made = Machines(first=first)
    try:
        yield made
    finally:
        made.remove()


def _group(name: str) -> str:
    return f"clusterhub-bench-{name}"
