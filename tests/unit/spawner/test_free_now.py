"""What the start page says of a profile is what a survey of the cluster has free for it."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from clusterhub.schedulers.capacity import Amount, Node, Partition, Survey
from clusterhub.site.profile import Profile
from clusterhub.spawner.free_now import sentence

GIB = 1024**3


def survey(free_cpus: int = 13, free_gpus: int = 3) -> Survey:
    gpus = MappingProxyType({"h200": Amount(4, free_gpus)})
    memory = Amount(64 * GIB, 32 * GIB)
    node = Node("n2", frozenset({"gpu"}), frozenset(), Amount(16, free_cpus), memory, gpus)
    return Survey(0.0, (node,), {"gpu": Partition("gpu"), "empty": Partition("empty")})


def profile(**keys: object) -> Profile:
    return Profile.model_validate({"name": "a", "partition": "gpu", **keys})


@pytest.mark.parametrize(
    ("found", "keys", "words"),
    [
        (survey(), {}, "Free now: 13 of 16 cores."),
        (survey(), {"gpus": 1}, "Free now: 13 of 16 cores, 3 of 4 GPUs (h200)."),
        (
            survey(free_gpus=0),
            {"gpus": {"default": 1, "type": "h200"}},
            "Free now: 13 of 16 cores, 0 of 4 GPUs (h200). What is preset would have to wait.",
        ),
        (
            survey(),
            {"gpus": {"default": 1, "type": "a100"}},
            "Free now: 13 of 16 cores, 0 of 0 GPUs (a100). What is preset would have to wait.",
        ),
        (
            survey(),
            {"memory": "40 GiB"},
            "Free now: 13 of 16 cores. What is preset would have to wait.",
        ),
        (
            survey(),
            {"memory": {"default": "8 GiB", "per": "cpu"}, "cpus": 5},
            "Free now: 13 of 16 cores. What is preset would have to wait.",
        ),
        (survey(), {"partition": "empty"}, "None of its nodes can be had at the moment."),
        (survey(), {"partition": "unheard-of"}, ""),
        (None, {}, ""),
    ],
)
def test_what_is_free_is_told(found: Survey | None, keys: dict[str, object], words: str) -> None:
    assert sentence(found, profile(**keys)) == words
