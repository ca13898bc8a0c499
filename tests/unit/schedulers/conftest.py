"""A watch with a clock and a scheduler's commands of our own: no process is started, no time passes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clusterhub.schedulers.watch import Watch

from .clocks import FakeClock
from .table import Table


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
async def watch(table: Table, clock: FakeClock) -> AsyncIterator[Watch]:
    made = Watch(
        table,
        interval=30,
        starting_interval=2,
        run=table.run,
        clock=clock,
        jitter=lambda low, high: (low + high) / 2,
    )
    made.ensure_running()
    await clock.settle()
    yield made
    await made.close()
