"""What the start page says of a profile is what a survey of the cluster has free for it."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from clusterhub.hub.form import free_html
from clusterhub.schedulers.capacity import Amount, Node, Partition, Survey
from clusterhub.site.profile import Profile
from clusterhub.spawner.free_now import free_for

GIB = 1024**3


def survey(free_cpus: int = 13, free_gpus: int = 3) -> Survey:
    gpus = MappingProxyType({"h200": Amount(4, free_gpus)})
    memory = Amount(64 * GIB, 32 * GIB)
    node = Node("n2", frozenset({"gpu"}), frozenset(), Amount(16, free_cpus), memory, gpus)
    return Survey(0.0, (node,), {"gpu": Partition("gpu"), "empty": Partition("empty")})


def profile(**keys: object) -> Profile:
    return Profile.model_validate({"name": "a", "partition": "gpu", **keys})


@pytest.mark.parametrize(
    ("found", "keys", "told"),
    [
        (survey(), {}, ((13, 16), {}, True)),
        (survey(), {"gpus": 1}, ((13, 16), {"h200": (3, 4)}, True)),
        (survey(free_gpus=0), {"gpus": {"default": 1, "type": "h200"}}, ((13, 16), {"h200": (0, 4)}, False)),
        (survey(), {"gpus": {"default": 1, "type": "a100"}}, ((13, 16), {"a100": (0, 0)}, False)),
        (survey(), {"memory": "40 GiB"}, ((13, 16), {}, False)),
        (survey(), {"memory": {"default": "8 GiB", "per": "cpu"}, "cpus": 5}, ((13, 16), {}, False)),
        (survey(), {"partition": "empty"}, ((0, 0), {}, False)),
        (survey(), {"partition": "unheard-of"}, None),
        (None, {}, None),
    ],
)
def test_what_is_free_is_told(
    found: Survey | None, keys: dict[str, object], told: tuple[object, object, bool] | None
) -> None:
    free = free_for(found, profile(**keys))
    if free is None:
        assert told is None
        return
    gpus = {kind: (each.free, each.total) for kind, each in free.gpus.items()}
    assert ((free.cpus.free, free.cpus.total), gpus, free.fits) == told


def test_memory_is_told_too() -> None:
    free = free_for(survey(), profile())
    assert free is not None
    assert free.memory == Amount(64 * GIB, 32 * GIB)
    assert free.as_json()["memory"] == {"total": 64 * GIB, "free": 32 * GIB}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"gpus": 1}, ["13 of 16 cores free", "32 of 64 GiB free", "3 of 4 GPUs (h200) free"]),
        ({"memory": "40 GiB"}, ["13 of 16 cores free", "What is preset would have to wait."]),
        ({"partition": "empty"}, ["None of its nodes can be had at the moment."]),
    ],
)
def test_a_card_says_it_in_words(keys: dict[str, object], words: list[str]) -> None:
    free = free_for(survey(), profile(**keys))
    assert free is not None
    html = free_html(free)
    assert all(each in html for each in words), html
