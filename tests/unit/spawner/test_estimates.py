"""The scheduler is asked when something would start: once for equal questions, and not too often.

Without what was asked before (`Estimates._asked`) the first test counts more questions; without `_spend`
nobody is told to wait.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.schedulers.requests import EMPTY

from clusterhub.schedulers.model import CommandResult, SubmitRefused
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.spawner.estimates import BURST, FRESH, PERSON_BURST, AskedEnough, Estimates

SAID = "sbatch: Job 1 to start at 1795445420 using 2 processors on nodes n1 in partition interactive\n"


class Asked:
    """Counts what the helper is asked; a stand-in for the broker of a hub with one cluster."""

    def __init__(self) -> None:
        self.questions: list[tuple[str, tuple[str, ...]]] = []
        self.result = CommandResult(0, "", SAID)
        self.now = 1000.0
        cluster = SimpleNamespace(scheduler=SlurmScheduler())
        clusters = SimpleNamespace(broker=self, at_rest=lambda _name: cluster)
        self.estimates = Estimates(cast("Any", clusters), lambda: self.now)

    async def estimate(self, person: str, argv: tuple[str, ...]) -> CommandResult:
        self.questions.append((person, argv))
        await asyncio.sleep(0)
        return self.result

    async def ask(self, cpus: int = 1, person: str = "alice") -> float:
        return await self.estimates.starts_at("main", replace(EMPTY, cpus=cpus, person=person))


async def test_equal_questions_of_one_person_are_asked_once_for_some_seconds() -> None:
    asked = Asked()
    assert set(await asyncio.gather(*(asked.ask() for _ in range(20)))) == {1795445420}
    assert len(asked.questions) == 1
    await asked.ask(cpus=2)
    await asked.ask(person="bob")
    assert len(asked.questions) == 3
    asked.now += FRESH
    await asked.ask()
    assert len(asked.questions) == 4


async def test_one_person_is_not_answered_without_end_and_others_are() -> None:
    asked = Asked()
    for cpus in range(1, PERSON_BURST + 1):
        await asked.ask(cpus)
    with pytest.raises(AskedEnough) as caught:
        await asked.ask(99)
    assert len(asked.questions) == PERSON_BURST
    await asked.ask(99, person="bob")
    asked.now += caught.value.seconds
    await asked.ask(99)


async def test_a_cluster_is_not_asked_more_by_many_people() -> None:
    asked = Asked()
    answers = await asyncio.gather(
        *(asked.ask(person=f"person{number}") for number in range(200)), return_exceptions=True
    )
    assert len(asked.questions) == BURST
    assert sum(isinstance(each, AskedEnough) for each in answers) == 200 - BURST


async def test_a_refusal_is_kept_as_well() -> None:
    asked = Asked()
    asked.result = CommandResult(1, "", "allocation failure: Invalid qos specification\n")
    for _ in range(2):
        with pytest.raises(SubmitRefused, match="Invalid qos"):
            await asked.ask()
    assert len(asked.questions) == 1


async def test_who_leaves_does_not_take_the_answer_from_others() -> None:
    asked = Asked()
    leaving, staying = asyncio.create_task(asked.ask()), asyncio.create_task(asked.ask())
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 1795445420
