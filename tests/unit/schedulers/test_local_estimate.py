"""When the local engine would start a job: after those that run and wait, as its room says.

With the queue left out of `local_engine.estimate.starts_at` the third case starts with the second.
"""

from __future__ import annotations

import pytest

from clusterhub.schedulers.local import LocalScheduler
from clusterhub.schedulers.local_engine.estimate import Load, starts_at
from clusterhub.schedulers.model import CommandResult, SchedulerError, SubmitRefused

LOCAL = LocalScheduler("/var/lib/engine", cpus=4, cluster="here")


@pytest.mark.parametrize(
    ("running", "waiting", "starts"),
    [
        ([], [], 100.0),
        ([Load(2, 0, 150.0)], [], 100.0),
        ([Load(2, 0, 150.0), Load(2, 0, 120.0)], [], 120.0),
        ([Load(2, 0, 150.0), Load(2, 0, 120.0)], [Load(2, 0, lasts=500)], 150.0),
        ([Load(4, 0, 150.0)], [Load(4, 0, lasts=500)], 650.0),
        # first come, first served: it does not overtake one that needs more
        ([Load(3, 0, 150.0)], [Load(4, 0, lasts=10)], 160.0),
        ([Load(1, 9, 130.0)], [], 130.0),  # the memory is what it lacks
    ],
)
def test_it_starts_when_there_is_room_for_all_that_is_ahead(
    running: list[Load], waiting: list[Load], starts: float
) -> None:
    assert starts_at(100.0, (4, 10), running, [*waiting, Load(2, 2, lasts=60)]) == starts


def test_where_nothing_is_limited_all_start_at_once() -> None:
    assert starts_at(100.0, (None, None), [Load(99, 0, 200.0)], [Load(9, 9, lasts=60)]) == 100.0


def test_the_answers_to_an_estimate() -> None:
    assert LOCAL.parse_estimate(CommandResult(0, "1795445420.5\n", "")) == 1795445420.5
    with pytest.raises(SubmitRefused, match="cpus=9 is more") as refused:
        LOCAL.parse_estimate(CommandResult(2, "", "local-engine: cpus=9 is more than all\n"))
    assert refused.value.field == "cpus"
    for unclear in (CommandResult(0, "", ""), CommandResult(1, "", "x"), CommandResult(None, "", "", "cut")):
        with pytest.raises(SchedulerError) as caught:
            LOCAL.parse_estimate(unclear)
        assert not isinstance(caught.value, SubmitRefused)
