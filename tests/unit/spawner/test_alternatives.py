"""What is near a choice and would start sooner.

Without the halving in `_less_of_one` more is taken off than has to be; without the look at GPUs in
`_elsewhere` somebody who needs one is sent to nodes that have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from clusterhub.site.profile import Profile
from clusterhub.spawner.alternatives import Alternative, nearby
from clusterhub.spawner.options import Choice

GIB = 1024**3

INTERACTIVE = Profile.model_validate(
    {
        "name": "interactive",
        "title": "Interactive",
        "cpus": {"default": 1, "max": 64},
        "memory": {"default": "4 GiB", "max": "256 GiB"},
        "time": {"default": "4h", "max": "1d"},
    }
)
GPU = Profile.model_validate(
    {"name": "gpu", "title": "One GPU", "cpus": {"default": 2, "max": 8}, "gpus": 1, "time": "4h"}
)
WIDE = Profile.model_validate(
    {"name": "wide", "title": "Wide", "cpus": {"default": 8, "min": 8, "max": 64}, "time": "8h"}
)
CHOICE = Choice("interactive", "lab", 8 * 3600, cpus=32, memory=64 * GIB, nodes=1)
PRESETS = [
    (GPU, Choice("gpu", "lab", 4 * 3600, cpus=2, gpus=1, nodes=1)),
    (WIDE, Choice("wide", "lab", 8 * 3600, cpus=8, nodes=1)),
]


def free(cpus: int = 0, memory: float = 0, **profiles: int) -> Callable[[Choice], bool]:
    """As if a survey had so much free on one node, and so many cores for other profiles."""

    def fits(choice: Choice) -> bool:
        if choice.profile != "interactive":
            return (choice.cpus or 1) <= profiles.get(choice.profile, 0)
        return (choice.cpus or 1) <= cpus and (choice.memory or 0) <= memory * GIB

    return fits


@pytest.mark.parametrize(
    ("fits", "words"),
    [
        (free(cpus=13, memory=128), ["13 cores", "2h"]),
        (free(cpus=64, memory=50.5), ["50 GiB memory", "2h"]),
        (free(cpus=13, memory=50), ["8 cores, 16 GiB memory", "2h"]),
        (free(cpus=0, memory=0, wide=64), ["Wide: 32 cores, 8h", "2h"]),
        (free(cpus=13, memory=128, wide=64), ["13 cores", "Wide: 32 cores, 8h"]),
        (free(gpu=8), ["2h"]),
        # it has room, and waits for its turn
        (free(cpus=64, memory=128, wide=64), ["Wide: 32 cores, 8h", "2h"]),
    ],
)
def test_the_nearest_that_fits_is_proposed(fits: Callable[[Choice], bool], words: list[str]) -> None:
    assert [each.words for each in nearby(CHOICE, INTERACTIVE, PRESETS, fits)] == words


def test_what_is_proposed_stays_within_the_profiles_limits() -> None:
    tight = INTERACTIVE.model_copy(update={"cpus": WIDE.cpus})
    assert [each.changed for each in nearby(CHOICE, tight, [], free(cpus=7, memory=999))] == [("time",)]


def test_who_wants_a_gpu_is_not_sent_elsewhere_without_one() -> None:
    wanted = Choice("gpu", "lab", 4 * 3600, cpus=8, gpus=1, nodes=1)
    interactive = (INTERACTIVE, Choice("interactive", "lab", 4 * 3600, cpus=1, memory=GIB, nodes=1))
    assert nearby(wanted, GPU, [interactive], free(cpus=64, memory=999)) == ()


def test_another_partition_of_the_profile_is_proposed() -> None:
    """One that is free; the rest of the choice stays."""

    def fits(choice: Choice) -> bool:
        return choice.partition == "batch"

    [first, *_] = nearby(CHOICE, INTERACTIVE, [], fits, ["interactive", "batch"])
    assert (first.words, first.changed, first.choice.cpus) == ("partition batch", ("partition",), CHOICE.cpus)


def test_a_profile_with_much_less_is_not_near() -> None:
    minutes = (GPU, Choice("gpu", "lab", 600, cpus=32, nodes=1))
    assert [each.words for each in nearby(CHOICE, INTERACTIVE, [minutes], free(gpu=64))] == ["2h"]


def test_what_is_fixed_is_not_changed() -> None:
    chosen = Choice("gpu", "lab", 4 * 3600, cpus=8, gpus=1, nodes=1)
    assert nearby(chosen, GPU, [], free(gpu=3)) == (
        Alternative(Choice("gpu", "lab", 4 * 3600, cpus=3, gpus=1, nodes=1), ("cpus",)),
    )


def test_a_large_machine_is_looked_through_in_few_steps() -> None:
    looks: Mapping[str, list[Choice]] = {"seen": []}

    def fits(choice: Choice) -> bool:
        looks["seen"].append(choice)
        return (choice.memory or 0) <= 3 * GIB

    [first, *_] = nearby(CHOICE, INTERACTIVE, [], fits)
    assert first.words == "3 GiB memory"
    assert len(looks["seen"]) < 25
