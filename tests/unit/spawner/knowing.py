"""A cluster and its accounting as alice meets them: what several tests of choices judge by."""

from __future__ import annotations

from tests.unit.site.small_sites import site_with

from clusterhub.schedulers.associations import Account, Association, Associations, Limits, Qos
from clusterhub.schedulers.capacity import Amount, Node, Partition, Reservation, Survey
from clusterhub.spawner.knowledge import Known

GIB = 2**30
HOUR = 3600

SITE = site_with("""
[[profile]]
name = "open"
title = "Open"
partition = ["batch", "short", "staff", "gpu"]
cpus = { default = 2, max = 64 }
memory = { default = "4 GiB", max = "256 GiB" }
gpus = { default = 0, max = 8 }
nodes = { default = 1, max = 16 }
time = { default = "4h", max = "7d" }

[[profile]]
name = "fixed"
title = "Fixed"
partition = "batch"
account = "physics"
qos = "normal"
time = { default = "1h", max = "4h" }
choose = []

[[profile]]
name = "staff"
title = "For staff"
partition = "staff"
time = "1h"
""")


def node(name: str, *partitions: str, cpus: int, gib: int, **more: object) -> Node:
    amounts = {"cpus": Amount(cpus, cpus), "memory": Amount(gib * GIB, gib * GIB)}
    return Node(name, frozenset(partitions), **{**amounts, **more})  # type: ignore[arg-type]


SURVEY = Survey(
    10_000.0,
    (
        node("c1", "batch", "short", cpus=32, gib=128, features=frozenset({"avx512", "rack1"})),
        node("c2", "batch", "staff", cpus=48, gib=64, features=frozenset({"rack2"})),
        node("g1", "gpu", cpus=64, gib=256, gpus={"a100": Amount(4, 4), "1g.5gb": Amount(7, 7)}),
    ),
    {
        "batch": Partition("batch", is_default=True, most_time=96 * HOUR, most_nodes=2),
        "short": Partition("short", most_time=HOUR, most_cpus_per_node=8),
        "gpu": Partition("gpu", accounts=frozenset({"bio"}), qos=frozenset({"normal", "long"})),
        "staff": Partition("staff", groups=frozenset({"staff"})),
        "attic": Partition("attic", is_hidden=True),
    },
    (
        Reservation("course", frozenset({"c1"}), 0.0, 20_000.0, people=frozenset({"alice"})),
        Reservation("bios", frozenset({"c1"}), 0.0, 20_000.0, accounts=frozenset({"bio"})),
        Reservation("later", frozenset({"c1"}), 15_000.0, 20_000.0, people=frozenset({"alice"})),
        Reservation("over", frozenset({"c1"}), 0.0, 9_000.0, people=frozenset({"alice"})),
        Reservation("bobs", frozenset({"c1"}), 0.0, 20_000.0, people=frozenset({"bob"})),
        Reservation("repair", frozenset({"c2"}), 0.0, 20_000.0, frozenset({"alice"}), is_maintenance=True),
    ),
)

ASSOCIATIONS = Associations(
    people={
        "alice": (
            Association("physics", "", frozenset({"normal", "short"}), "normal", Limits(24 * HOUR)),
            Association(
                "bio", "", frozenset({"normal", "long"}), "normal", Limits(None, {"memory": 96 * GIB})
            ),
            Association("chem", "batch", frozenset({"normal"}), "normal"),
        ),
        "bob": (Association("secret", "", frozenset({"normal", "high"})),),
    },
    default_accounts={"alice": "physics", "bob": "secret"},
    accounts={"physics": Account("root", {"gpus": 2}), "bio": Account("root"), "chem": Account("root")},
    qos={
        "normal": Qos(),
        "short": Qos(Limits(HOUR)),
        "long": Qos(Limits(72 * HOUR, {"cpus": 12})),
        "high": Qos(),
    },
)

KNOWN = {"main": Known(SURVEY, ASSOCIATIONS)}
