"""Each engine of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.engines import Engine, LocalEngine, SlurmEngine


@pytest.fixture(scope="session")
def slurm_engine(request: pytest.FixtureRequest) -> Iterator[SlurmEngine]:
    engine = SlurmEngine(request.getfixturevalue("cluster"))
    yield engine
    engine.end_all()


@pytest.fixture(params=["local", pytest.param("slurm", marks=pytest.mark.on_cluster)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "slurm":
        yield request.getfixturevalue("slurm_engine")
        return
    local = LocalEngine(tmp_path)
    yield local
    local.end_all()
