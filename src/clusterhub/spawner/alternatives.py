"""What could be had sooner than what was chosen: a few smaller requests near it. Pure.

What is free as a survey counts it tells which of them would likely start now; whether they would is for the
scheduler to say, and it is asked of the best two only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from clusterhub.languages.text import _, counted, joined
from clusterhub.schedulers.capacity import Survey, Wish
from clusterhub.schedulers.model import JobRequest
from clusterhub.site.quantities import format_duration, format_size
from clusterhub.site.ranges import Range
from clusterhub.site.schema import Profile
from clusterhub.spawner.options import AMOUNTS, Choice

MOST = 2
"""That are proposed: the scheduler is asked about each."""
STEPS = {"memory": 1024**3, "time": 900}
"""Amounts are proposed in whole gibibytes and quarters of an hour."""
SHORTER = 4
"""A job of a quarter of the time may fit before others that wait (backfill), which no survey shows."""
NEAR = 4
"""Another profile has to give a quarter of each amount to be near what was chosen."""

RequestOf = Callable[[Choice], JobRequest]


@dataclass(frozen=True)
class Alternative:
    """Another choice, and what of it differs."""

    choice: Choice
    changed: tuple[str, ...]
    """Keys of the choice."""
    title: str = ""
    """Of its profile, where that is another one."""

    @property
    def words(self) -> str:
        """What would be chosen instead, such as "4 cores"."""
        if self.changed == ("partition",):
            return _("partition {name}").format(name=self.choice.partition)
        chosen = {key: getattr(self.choice, key) for key in self.changed}
        amounts = joined((said(key, value) for key, value in chosen.items()), ", ")
        return joined([self.title, amounts], ": ") if self.title else amounts


def said(key: str, value: int) -> str:
    """An amount as people say it."""
    words: Mapping[str, Callable[[int], str]] = {
        "cpus": lambda count: counted("one core", "{count} cores", count),
        "memory": lambda size: _("{size} memory").format(size=format_size(size)),
        "gpus": lambda count: counted("one GPU", "{count} GPUs", count),
        "nodes": lambda count: counted("one node", "{count} nodes", count),
        "time": format_duration,
    }
    return words[key](value)


def wish_of(request: JobRequest) -> Wish:
    """What a survey has to have free for the request."""
    return Wish(
        partitions=request.partitions,
        cpus=request.cpus,
        memory=request.memory,
        gpus=request.gpus,
        nodes=request.nodes,
        time_seconds=request.time_seconds,
        reservation=request.reservation,
        constraint=request.constraint,
    )


def nearby(
    choice: Choice,
    profile: Profile,
    others: Sequence[tuple[Profile, Choice]],
    fits: Callable[[Choice], bool],
    partitions: Sequence[str] = (),
) -> tuple[Alternative, ...]:
    """The best of what is near the choice, the nearest first.

    ``others`` are the other profiles that this person may use, with what each presets; ``fits`` says whether
    a choice would have all of it free at once; ``partitions`` are those that may be chosen. May take a while
    on a large cluster: run it in a thread.
    """
    # What is free all the same waits for its turn, not for room: less of it would wait as well.
    found: list[Alternative] = []
    if not fits(choice):
        found += _less_of_one(choice, profile, fits)
        found += [] if found else _less_of_all(choice, profile, fits)
        found += _in_another_partition(choice, partitions, fits)
    if len(found) < MOST:
        found += _elsewhere(choice, others, fits)
    if len(found) < MOST:
        found += _shorter(choice, profile)
    return tuple(found[:MOST])


def fitting(
    surveys: Mapping[str, Survey | None], requests: RequestOf, cluster_of: Callable[[Choice], str]
) -> Callable[[Choice], bool]:
    """Whether all of a choice is free at once, by surveys of the clusters."""

    def fits(choice: Choice) -> bool:
        survey = surveys.get(cluster_of(choice))
        free = survey.free(wish_of(requests(choice))) if survey is not None else None
        return free is not None and free.fits

    return fits


def _less_of_one(choice: Choice, profile: Profile, fits: Callable[[Choice], bool]) -> Iterator[Alternative]:
    """As much as fits of one amount, all others as they were."""
    for key in AMOUNTS:
        limits, value = _range(profile, key), getattr(choice, key)
        if limits is None or value is None or value <= limits.min:
            continue
        amounts = _smaller(key, value, limits.min)
        if not fits(_with(choice, {key: amounts[-1]})):
            continue
        # What fits does so with less, too: the most that fits is found by halving.
        low, high = 0, len(amounts) - 1
        while low < high:
            middle = (low + high) // 2
            if fits(_with(choice, {key: amounts[middle]})):
                high = middle
            else:
                low = middle + 1
        yield Alternative(_with(choice, {key: amounts[low]}), (key,))


def _smaller(key: str, value: int, least: int) -> Sequence[int]:
    """All amounts that are proposed below this one, the largest first."""
    step = STEPS.get(key, 1)
    return [*range((value - 1) // step * step, least, -step), least]


def _less_of_all(choice: Choice, profile: Profile, fits: Callable[[Choice], bool]) -> Iterator[Alternative]:
    """Half of everything but the time, or half of that, and so on."""
    now = choice
    while True:
        halved = {
            key: max(limits.min, _rounded(key, getattr(now, key) // 2))
            for key in AMOUNTS
            if key != "time"
            and (limits := _range(profile, key)) is not None
            and getattr(now, key) is not None
        }
        smaller = _with(now, halved)
        if smaller == now:
            return
        now = smaller
        if fits(now):
            yield Alternative(now, tuple(key for key in halved if getattr(now, key) != getattr(choice, key)))
            return


def _in_another_partition(
    choice: Choice, partitions: Sequence[str], fits: Callable[[Choice], bool]
) -> Iterator[Alternative]:
    for partition in partitions:
        there = replace(choice, partition=partition)
        if there != choice and fits(there):
            yield Alternative(there, ("partition",))


def _elsewhere(
    choice: Choice, others: Sequence[tuple[Profile, Choice]], fits: Callable[[Choice], bool]
) -> Iterator[Alternative]:
    """What was chosen, as far as another profile lets that be chosen."""
    for profile, preset in others:
        amounts: dict[str, int] = {}
        for key in AMOUNTS:
            limits, value = _range(profile, key), getattr(choice, key)
            if limits is not None and value is not None:
                amounts[key] = min(max(value, limits.min), limits.max)
        if bool(choice.gpus) != bool(amounts.get("gpus", preset.gpus)):
            continue  # who wants a GPU is not served without one, nor the other way about
        there = _with(preset, amounts)
        if _is_near(there, choice) and fits(there):
            changed = tuple(key for key in AMOUNTS if getattr(there, key) is not None and key != "nodes")
            yield Alternative(there, changed, profile.title)


def _is_near(other: Choice, choice: Choice) -> bool:
    """Whether it has at least a part of everything that was chosen, as far as either speaks of it."""
    amounts = ((getattr(other, key), getattr(choice, key)) for key in AMOUNTS)
    return all(there * NEAR >= here for there, here in amounts if there is not None and here is not None)


def _shorter(choice: Choice, profile: Profile) -> Iterator[Alternative]:
    limits = profile.time
    shorter = max(limits.min, _rounded("time", choice.time // SHORTER))
    if shorter < choice.time:
        yield Alternative(_with(choice, {"time": shorter}), ("time",))


def _with(choice: Choice, amounts: Mapping[str, int]) -> Choice:
    return replace(choice, **cast("dict[str, Any]", amounts))


def _range(profile: Profile, key: str) -> Range | None:
    """Between which amounts people choose; None where they do not."""
    limits: Range | None = getattr(profile, key)
    return limits if limits is not None and not limits.is_fixed else None


def _rounded(key: str, value: int) -> int:
    step = STEPS.get(key, 1)
    return max(step, value // step * step)
