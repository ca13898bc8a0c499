"""The history of a start tells each thing once, however often it changes."""

from __future__ import annotations

import asyncio

from clusterhub.spawner.progress import History, Progress

SUBMITTING = Progress(5, "Submitting.", "submitting")
WAITS = [Progress(20, f"{number} jobs are ahead.", "Priority") for number in range(5)]
RUNS = Progress(50, "It runs.", "runs")


async def told(history: History, count: int) -> list[Progress]:
    """The first that somebody hears who looks now."""
    heard = []
    async for each in history.follow():
        heard.append(each)
        if len(heard) == count:
            break
    return heard


async def test_who_looks_later_hears_of_each_thing_once_as_it_is_now() -> None:
    history = History()
    for each in (SUBMITTING, SUBMITTING, *WAITS, RUNS):
        history.note(each)
    assert await told(history, 3) == [SUBMITTING, WAITS[-1], RUNS]


async def test_who_looks_on_hears_of_every_change_and_nothing_twice() -> None:
    history = History()
    history.note(SUBMITTING)
    looking = asyncio.create_task(told(history, 4))
    await asyncio.sleep(0)
    for each in (WAITS[0], WAITS[0], WAITS[1], RUNS):
        history.note(each)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert await asyncio.wait_for(looking, 10) == [SUBMITTING, WAITS[0], WAITS[1], RUNS]


async def test_the_same_reason_as_long_ago_is_told_anew() -> None:
    history = History()
    for each in (WAITS[0], RUNS, WAITS[1]):
        history.note(each)
    assert await told(history, 3) == [WAITS[0], RUNS, WAITS[1]]
