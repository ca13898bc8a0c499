"""The most that one job of a person may have, of several limits: the first in Slurm's order counts.

With the order of the levels turned round, or groups' limits left out, these fail.
"""

from __future__ import annotations

import pytest

from clusterhub.schedulers.associations import Account, Association, Associations, Limits, Qos
from clusterhub.schedulers.capacity import Partition

HOUR = 3600


def associations(**more: object) -> Associations:
    values: dict[str, object] = {
        "people": {
            "alice": (
                Association("bio", limits=Limits(6 * HOUR, {"cpus": 16})),
                Association("bio", "gpu", limits=Limits(HOUR, {"cpus": 4}, {"gpus": 1})),
                Association("physics", qos=frozenset({"normal", "long"}), default_qos="normal"),
            )
        },
        "default_accounts": {"alice": "physics"},
        "accounts": {
            "bio": Account("science", {"gpus": 4}),
            "science": Account("root", {"cpus": 12, "nodes": 8}),
            "root": Account(),
        },
        "qos": {
            "normal": Qos(Limits(2 * HOUR, {"cpus": 8})),
            "long": Qos(Limits(48 * HOUR), any_time=True, any_nodes=True),
            "first": Qos(Limits(3 * HOUR), before_partition=True),
            "of-partition": Qos(Limits(4 * HOUR, {"cpus": 6}, group={"gpus": 2})),
        },
        **more,
    }
    return Associations(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "partition", "time"),
    [
        ({}, None, 2 * HOUR),
        ({"qos": "long"}, None, 48 * HOUR),
        ({"account": "bio"}, None, 6 * HOUR),
        ({"account": "bio"}, Partition("gpu"), HOUR),
        ({"account": "bio", "qos": "normal"}, Partition("gpu"), 2 * HOUR),
        ({}, Partition("batch", most_time=HOUR), HOUR),
        ({"qos": "long"}, Partition("batch", most_time=HOUR), 48 * HOUR),
        ({}, Partition("batch", own_qos="of-partition"), 4 * HOUR),
        ({"qos": "first"}, Partition("batch", own_qos="of-partition"), 3 * HOUR),
        ({"account": "unheard-of"}, None, None),
    ],
)
def test_the_first_level_that_limits_time_counts(
    wanted: dict[str, str], partition: Partition | None, time: int | None
) -> None:
    found = associations().ceiling(
        "alice", account=wanted.get("account"), qos=wanted.get("qos"), partition=partition
    )
    assert found.time == time


def test_a_job_may_not_have_more_than_its_group_may() -> None:
    found = associations().ceiling("alice", account="bio", qos=None, partition=None)
    assert found.job == {"cpus": 12, "nodes": 8, "gpus": 4}, "those of the account and of all its parents"
    own = associations().ceiling(
        "alice", account="bio", qos=None, partition=Partition("x", own_qos="of-partition")
    )
    assert (own.job["cpus"], own.job["gpus"]) == (6, 2)


def test_limits_of_a_job_are_shared_by_its_nodes() -> None:
    found = associations().ceiling(
        "alice", account=None, qos=None, partition=Partition("x", most_cpus_per_node=5, most_nodes=3)
    )
    assert [found.per_node("cpus", nodes) for nodes in (1, 2, 4)] == [5, 4, 2]
    assert found.job["nodes"] == 3
    assert found.per_node("memory", 1) is None


def test_limits_that_slurm_does_not_hold_are_not_ours_to_hold() -> None:
    found = associations(limits_hold=False).ceiling(
        "alice", account="bio", qos="normal", partition=Partition("x", most_time=9 * HOUR)
    )
    assert (found.time, dict(found.job), dict(found.node)) == (9 * HOUR, {}, {})


def test_accounts_that_are_each_others_parents_end() -> None:
    found = associations(accounts={"bio": Account("bio", {"gpus": 1})})
    assert found.ceiling("alice", account="bio", qos=None, partition=None).job["gpus"] == 1
