"""The control groups that the nodes' slurmd make on this machine, and their removal.

Slurm 22.05 can use the first version of cgroups without systemd; with them a job's memory limit is the
kernel's and all that a job started ends with it. Where they are not there (containers, machines with the
second version only), the cluster does without: see `configuration.slurm_conf`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .layout import NODES

MOUNTPOINT = Path("/sys/fs/cgroup")
CONTROLLERS = ("memory", "freezer")


def directories() -> list[Path]:
    """The groups that slurmd makes: one for each node and controller."""
    return [MOUNTPOINT / controller / f"slurm_{node.name}" for controller in CONTROLLERS for node in NODES]


def usable() -> bool:
    """Whether Slurm can use cgroups here, and no other cluster's node of the same name lives in ours."""
    # slurmd takes a hierarchy for mounted where it sees this file, which only the root group has.
    mounted = all((MOUNTPOINT / name / "release_agent").exists() for name in CONTROLLERS)
    writable = mounted and all(os.access(MOUNTPOINT / name, os.W_OK) for name in CONTROLLERS)
    inhabited = any(file.read_text() for path in directories() for file in path.rglob("cgroup.procs"))
    return writable and not inhabited


def thaw(roots: list[str]) -> None:
    """Let frozen processes go on: nothing kills them otherwise."""
    for root in roots:
        for file in Path(root).rglob("freezer.state"):
            with contextlib.suppress(OSError):
                file.write_text("THAWED")


def remove(roots: list[str]) -> None:
    """Remove the groups, innermost first. Their processes have to be gone."""
    for root in roots:
        for path, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
