"""The pytest fixture of the real Slurm cluster."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.real_cluster import RealCluster, missing_requirements, remains


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def cluster() -> Iterator[RealCluster]:
    """A cluster that is up, taken down at the end of the session, also after an interrupt.

    With CLUSTERHUB_TEST_REUSE=1 one that is up already is used and left as it is.
    """
    problem = missing_requirements()
    if problem:
        pytest.skip(problem)
    cluster = RealCluster(print)
    if cluster.is_up():
        if os.environ.get("CLUSTERHUB_TEST_REUSE") != "1":
            pytest.fail(
                "A cluster is up. Use it with CLUSTERHUB_TEST_REUSE=1, or `scripts/cluster down`.",
                pytrace=False,
            )
        cluster.up()
        yield cluster
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        # Any free port: the hub's usual one may be somebody's on this machine.
        cluster.up(port=0)
        yield cluster
        footprint = cluster.footprint()
        cluster.down()
        assert remains.find(footprint) == []
    finally:
        cluster.down()
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def cluster_path(cluster: RealCluster) -> Iterator[Path]:
    """What `tmp_path` is, for files that hosts of the cluster shall see: each of them has its own /tmp."""
    path = Path(tempfile.mkdtemp(prefix="test-", dir=cluster.data))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)
