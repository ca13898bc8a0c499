"""What is told to be free in the cluster is what sinfo counts, with a job running and a node drained.

Without GPUs in use being taken off (`slurm_nodes._node`) four are free; without `CLOSED` the drained node is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.real_cluster import RealCluster

from clusterhub.schedulers.capacity import Amount, Free, Wish
from clusterhub.schedulers.model import CommandResult, Gpus
from clusterhub.schedulers.slurm import SlurmScheduler

SLURM = SlurmScheduler(cluster="main")


def free(cluster: RealCluster, wish: Wish) -> Free:
    """What the scheduler's answers say now."""
    answers = []
    for argv in SLURM.survey():
        done = cluster.run("gateway", argv, env=SLURM.look_environment)
        answers.append(CommandResult(done.returncode, done.stdout, done.stderr))
    now = float(cluster.run("gateway", ["date", "+%s"]).stdout)
    found = SLURM.parse_survey(answers, now).free(wish)
    assert found is not None
    return found


def counted_by_sinfo(cluster: RealCluster, partition: str) -> Amount:
    """CPUs by sinfo's own count: those of nodes that are drained or down are ``other``."""
    said = cluster.run("gateway", ["sinfo", "--noheader", f"--partition={partition}", "--format=%C"]).stdout
    match = re.fullmatch(r"(\d+)/(\d+)/(\d+)/(\d+)\s*", said)
    assert match, said
    return Amount(int(match[4]), int(match[2]))


@pytest.fixture
def busy(cluster: RealCluster) -> Iterator[None]:
    """Three cores and a GPU of n2 are somebody's, and n1 is drained."""
    options = ["--parsable", "--partition=gpu", "--gres=gpu:h200:1", "--cpus-per-task=3", "--mem=2G"]
    done = cluster.run("gateway", ["sbatch", *options, "--output=/dev/null", "--wrap=sleep 300"], "alice")
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    cluster.wait_for_job(job, "RUNNING")
    cluster.run("gateway", ["scontrol", "update", "NodeName=n1", "State=DRAIN", "Reason=a test"])
    yield
    cluster.run("gateway", ["scontrol", "update", "NodeName=n1", "State=RESUME"])
    cluster.run("gateway", ["scancel", job], "alice")
    cluster.wait_for_job(job, "CANCELLED")
    cluster.wait_for_nodes()


@pytest.mark.usefixtures("busy")
def test_what_is_free_is_what_sinfo_counts(cluster: RealCluster) -> None:
    gpu = free(cluster, Wish(partitions=("gpu",), cpus=13, gpus=Gpus(3, "h200")))
    assert gpu.cpus == counted_by_sinfo(cluster, "gpu") == Amount(16, 13)
    assert gpu.gpus == {"h200": Amount(4, 3)}
    assert gpu.fits
    assert not free(cluster, Wish(partitions=("gpu",), cpus=1, gpus=Gpus(4))).fits
    everywhere = free(cluster, Wish(partitions=("interactive",)))
    assert everywhere.cpus == counted_by_sinfo(cluster, "interactive") == Amount(32, 13)
