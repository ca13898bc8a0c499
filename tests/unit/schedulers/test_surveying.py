"""A cluster is surveyed for whoever looks, once for all of them, rarely, and not while it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from clusterhub.schedulers.budget import Budget
from clusterhub.schedulers.capacity import Amount, Survey, Wish
from clusterhub.schedulers.model import CommandResult, Gpus, SchedulerError
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.schedulers.surveying import INTERVAL, INTERVAL_AT_MOST, SELDOM, TO_CHOOSE, Surveying

RECORDED = (Path(__file__).parent / "recorded" / "scontrol-22.05.8.txt").read_text()
SLURM = SlurmScheduler(cluster="main")
SUBJECTS = ("node", "partition", "reservation")


def recorded() -> list[CommandResult]:
    """The answers for nodes, partitions and reservations, in that order."""
    parts = (part.partition("\n")[2] for part in RECORDED.split("==")[1:])
    return [CommandResult(0, text, "") for text in parts]


class Cluster:
    """A scheduler's answers, by hand; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = recorded()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.now = 1000.0
        self.surveying = Surveying(
            SLURM, self._ask, Budget(20, 10, 0.0), lambda: self.now, lambda: 1795436000.0
        )

    async def _ask(self, argv: tuple[str, ...]) -> CommandResult:
        self.asked.append(argv[-1])
        await self.may_answer.wait()
        return self.answers[SUBJECTS.index(argv[-1])]

    async def survey(self, patience: float = 5.0) -> Survey | None:
        return await self.surveying.survey(patience)


def test_what_slurm_printed_is_read() -> None:
    survey = SLURM.parse_survey(recorded(), taken_at=1795436000.0)
    anywhere, gpu = survey.free(Wish()), survey.free(Wish(partitions=("gpu",), gpus=Gpus(1)))
    assert anywhere is not None
    assert anywhere.cpus == Amount(16, 16), "n2 is in a reservation for maintenance"
    assert gpu is not None
    assert (gpu.cpus, gpu.fits) == (Amount(), False)
    later = SLURM.parse_survey(recorded(), taken_at=1795439500.0).free(
        Wish(partitions=("gpu",), gpus=Gpus(3))
    )
    assert later is not None
    assert (later.cpus, later.gpus, later.fits) == (Amount(16, 13), {"h200": Amount(4, 3)}, True)


@pytest.mark.parametrize(
    "answers",
    [
        [CommandResult(1, "", "slurm_load_node error: Unable to contact slurm controller")],
        [CommandResult(None, "", "", "scontrol gave no answer within 20 s")],
        [CommandResult(0, "NodeName=n1 State=IDLE\n", "")],
        [CommandResult(0, "nonsense\n", "")],
    ],
)
def test_half_an_answer_is_none(answers: Sequence[CommandResult]) -> None:
    with pytest.raises(SchedulerError):
        SLURM.parse_survey([*answers, *recorded()[1:]], 0.0)


async def test_many_who_look_at_once_cost_one_survey_and_so_does_the_next_half_minute() -> None:
    cluster = Cluster()
    found = await asyncio.gather(*(cluster.survey() for _ in range(200)))
    assert cluster.asked == [*SUBJECTS]
    assert None not in found
    cluster.now += INTERVAL - 1
    await cluster.survey()
    assert len(cluster.asked) == 3
    cluster.now += 1
    await cluster.survey()
    assert len(cluster.asked) == 4


async def test_what_operators_change_by_hand_is_asked_more_rarely_and_not_forgotten_meanwhile() -> None:
    cluster = Cluster()
    first = await cluster.survey()
    assert first is not None
    for _ in range(int(SELDOM / INTERVAL) - 1):
        cluster.now += INTERVAL
        known = await cluster.survey()
        assert known is not None
        assert (known.partitions, known.reservations) == (first.partitions, first.reservations)
    assert cluster.asked[3:] == ["node"] * 3
    cluster.now += INTERVAL
    await cluster.survey()
    assert cluster.asked[6:] == [*SUBJECTS]


async def test_whoever_only_chooses_does_not_wait_for_what_is_free() -> None:
    cluster = Cluster()
    first = await cluster.survey()
    cluster.now += TO_CHOOSE - 1
    assert await cluster.surveying.survey(5.0, TO_CHOOSE) is first
    assert len(cluster.asked) == 3
    cluster.now += 1
    assert await cluster.surveying.survey(5.0, TO_CHOOSE) is not first


async def test_a_slow_answer_keeps_nobody_waiting_who_has_an_older_one() -> None:
    cluster = Cluster()
    first = await cluster.survey()
    cluster.now += INTERVAL
    cluster.may_answer.clear()
    assert await cluster.survey(patience=0.01) is first
    cluster.may_answer.set()
    second = await cluster.survey()
    assert second is not None
    assert second is not first


async def test_after_failures_it_is_asked_more_and_more_rarely_and_what_is_old_is_not_told() -> None:
    cluster = Cluster()
    known = await cluster.survey()
    cluster.answers = [CommandResult(1, "", "Unable to contact slurm controller")] * 3
    for pause in (INTERVAL, 2 * INTERVAL, 4 * INTERVAL):
        before = cluster.asked.count("node")
        cluster.now += pause - 1
        assert await cluster.survey() is known
        assert cluster.asked.count("node") == before
        cluster.now += 1
        assert await cluster.survey() is known
        assert cluster.asked.count("node") == before + 1
    cluster.now += INTERVAL_AT_MOST
    assert await cluster.survey() is None


async def test_a_month_of_failures_keeps_nobody_from_asking() -> None:
    """A pause that is doubled without a bound is no number any more after a week."""
    cluster = Cluster()
    cluster.answers = [CommandResult(1, "", "Unable to contact slurm controller")] * 3
    for _ in range(1100):
        cluster.now += INTERVAL_AT_MOST
        assert await cluster.survey() is None
    cluster.answers = recorded()
    cluster.now += INTERVAL_AT_MOST
    assert await cluster.survey() is not None


async def test_it_waits_where_the_scheduler_has_been_asked_enough() -> None:
    cluster = Cluster()
    spent = Budget(20, 10, cluster.now)
    for _ in range(8):
        spent.spend(cluster.now)
    surveying = Surveying(SLURM, cluster._ask, spent, lambda: cluster.now, lambda: 0.0)
    assert await surveying.survey(1.0) is None
    assert cluster.asked == []


async def test_a_survey_under_way_ends_with_the_watch() -> None:
    cluster = Cluster()
    cluster.may_answer.clear()
    assert await cluster.survey(patience=0.01) is None
    await cluster.surveying.close()
    assert len(asyncio.all_tasks()) == 1
