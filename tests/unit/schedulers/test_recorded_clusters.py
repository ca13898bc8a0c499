"""What is told to be free, held against what sinfo counted of the same cluster at the same moment.

Each file of ``recorded/clusters`` is what a real Slurm said of one shape: `python -m tests.recordings` made
them. The largest has 3,500 nodes of a cloud. Without `CLOSED` of `slurm_nodes`, types in `read_gpus`, or
reservations in `Survey.free` some of these fail.
"""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from tests.recordings.shapes import SHAPES

from clusterhub.schedulers.associations import Association, Associations
from clusterhub.schedulers.capacity import Amount, Survey, Wish
from clusterhub.schedulers.model import CommandResult, Gpus
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.site.profile import Profile
from clusterhub.spawner.knowledge import Known
from clusterhub.spawner.offers import Terms

RECORDED = Path(__file__).parent / "recorded" / "clusters"
SLURM = SlurmScheduler(cluster="main")
NAMES = [shape.name for shape in SHAPES]

SPECIALIZED = {("whole", "t1"): 4, ("whole", "t2"): 4}
"""CPUs that a node keeps for its own daemons: sinfo counts them, and no job can have them."""


@cache
def recorded(name: str) -> tuple[Survey, tuple[tuple[str, ...], ...]]:
    """The survey of what scontrol said, and sinfo's rows: node, partition, CPUs, state, GPUs, GPUs in use."""
    text = gzip.decompress((RECORDED / f"{name}.txt.gz").read_bytes()).decode()
    first, *parts = text.split("==")[1:]
    taken = re.match(r"taken (\d+), Slurm 22\.05", first)
    assert taken
    *answers, rows = (part.partition("\n")[2] for part in parts)
    survey = SLURM.parse_survey([CommandResult(0, each, "") for each in answers], float(taken[1]))
    return survey, tuple(tuple(line.split()) for line in rows.splitlines())


def gpus(words: str) -> dict[str, int]:
    """GPUs by type as sinfo says them; read in another way than `slurm_nodes.read_gpus` does."""
    found: dict[str, int] = defaultdict(int)
    for word in re.sub(r"\([^)]*\)", "", words).split(","):
        kind, *rest = word.split(":")
        if kind == "gpu":
            found[rest[0] if len(rest) > 1 else ""] += int(rest[-1])
    return dict(found)


@pytest.mark.parametrize("name", NAMES)
def test_each_node_has_free_what_sinfo_counts(name: str) -> None:
    survey, rows = recorded(name)
    nodes = {node.name: node for node in survey.nodes}
    assert set(nodes) == {row[0] for row in rows}
    partitions = defaultdict[str, set[str]](set)
    for node, partition, cpus, state, gres, used in rows:
        partitions[node].add(partition.rstrip("*"))
        _, idle, other, total = map(int, cpus.split("/"))
        own = SPECIALIZED.get((name, node), 0)
        found = nodes[node]
        assert found.cpus.total == total - own, node
        assert found.takes_jobs is not (other > 0 or state.endswith("#")), node
        if found.takes_jobs:
            assert found.cpus.free == idle - own, node
        there, taken = gpus(gres), gpus(used)
        assert found.gpus == {
            kind: Amount(count, count - taken.get(kind, 0)) for kind, count in there.items()
        }, node
    assert {node.name: node.partitions for node in survey.nodes} == dict(partitions)


@pytest.mark.parametrize("name", NAMES)
def test_each_partition_has_free_what_sinfo_counts(name: str) -> None:
    survey, rows = recorded(name)
    kept = {node for each in survey.reservations for node in each.nodes if each.begins_at <= survey.taken_at}
    for partition in survey.partitions.values():
        if partition.whole_nodes or partition.most_cpus_per_node or not partition.takes_jobs:
            continue  # sinfo does not know of those; see below
        mine = [row for row in rows if row[1].rstrip("*") == partition.name and row[0] not in kept]
        counts = [tuple(map(int, row[2].split("/"))) for row in mine]
        own = sum(SPECIALIZED.get((name, row[0]), 0) for row in mine)
        free = survey.free(Wish(partitions=(partition.name,), time_seconds=60))
        assert free is not None
        assert free.cpus == Amount(
            sum(each[3] for each in counts) - own, sum(each[1] for each in counts) - own
        ), partition.name


@pytest.mark.parametrize(
    ("name", "wish", "cpus", "gpus_free"),
    [
        ("mixed", Wish(), Amount(352, 155), {}),
        ("mixed", Wish(("short",)), Amount(480, 276), {}),
        ("mixed", Wish(("long", "attic")), Amount(64, 0), {}),
        ("mixed", Wish(("closed",)), Amount(0, 0), {}),
        ("mixed", Wish(("short",), constraint="milan"), Amount(384, 249), {}),
        ("mixed", Wish(("short",), constraint="fat|skylake"), Amount(224, 148), {}),
        ("gpus", Wish(), Amount(160, 84), {"a100": (8, 1), "v100": (2, 1), "p100": (2, 1), "": (11, 4)}),
        ("gpus", Wish(("a100",)), Amount(64, 26), {"a100": (8, 1)}),
        (
            "mig",
            Wish(("whole",)),
            Amount(32, 30),
            {"a100_1g.5gb": (7, 2), "a100_3g.20gb": (2, 2), "a100": (2, 1)},
        ),
        ("mig", Wish(), Amount(96, 83), {"a100_1g.5gb": (21, 7), "a100_3g.20gb": (10, 2), "a100": (2, 1)}),
        ("reserved", Wish(time_seconds=1800), Amount(128, 64), {"l40s": (8, 4)}),
        ("reserved", Wish(time_seconds=2 * 3600), Amount(96, 32), {"l40s": (6, 2)}),
        ("reserved", Wish(reservation="course"), Amount(64, 55), {"l40s": (4, 4)}),
        ("reserved", Wish(reservation="later"), Amount(0, 0), {}),
        ("whole", Wish(), Amount(184, 124), {}),
        ("whole", Wish(("shared",)), Amount(144, 144), {}),
        ("whole", Wish(("users",)), Amount(64, 64), {}),
        ("large", Wish(("gpu",)), Amount(48_000, 45_144), {"h100": (2000, 1506)}),
    ],
)
def test_what_is_free_is_what_one_counts_by_hand(
    name: str, wish: Wish, cpus: Amount, gpus_free: dict[str, tuple[int, int]]
) -> None:
    free = recorded(name)[0].free(wish)
    assert free is not None
    assert free.cpus == cpus
    assert dict(free.gpus) == {kind: Amount(*each) for kind, each in gpus_free.items()}


@pytest.mark.parametrize(
    ("name", "wish", "fits"),
    [
        ("gpus", Wish(gpus=Gpus(1, "a100")), True),
        ("gpus", Wish(gpus=Gpus(2, "a100")), False),
        ("gpus", Wish(cpus=1, gpus=Gpus(2, None)), True),
        ("gpus", Wish(cpus=1, gpus=Gpus(3, None)), False),
        ("mig", Wish(gpus=Gpus(5, "a100_1g.5gb")), True),
        ("mig", Wish(gpus=Gpus(6, "a100_1g.5gb")), False),
        ("large", Wish(("gpu",), cpus=96, gpus=Gpus(4, "h100"), nodes=339), True),
        ("large", Wish(("gpu",), cpus=96, gpus=Gpus(4, "h100"), nodes=340), False),
    ],
)
def test_a_request_fits_where_enough_nodes_have_all_of_it(name: str, wish: Wish, fits: bool) -> None:
    free = recorded(name)[0].free(wish)
    assert free is not None
    assert free.fits is fits


def test_people_are_offered_the_partitions_that_are_not_hidden_or_kept_from_them() -> None:
    survey = recorded("mixed")[0]
    profile = Profile.model_validate({"name": "any", "choose": ["partition"]})

    def offered(account: str, *groups: str) -> list[str] | None:
        known = Associations({"alice": (Association(account),)}, {"alice": account})
        return Terms(profile, "alice", frozenset(groups), Known(survey, known)).partitions()

    assert offered("physics") == ["batch", "long", "short", "closed"]
    assert offered("bio") == ["batch", "long", "short", "fat", "closed"]
    assert offered("physics", "staff") == ["batch", "long", "short", "staff", "closed"]


def test_models_and_features_are_those_of_the_partition() -> None:
    profile = Profile.model_validate({"name": "gpu", "partition": ["gpu"], "gpus": 1})
    terms = Terms(profile, "alice", known=Known(recorded("gpus")[0]))
    assert terms.gpu_types(None) == ["a100", "p100", "v100"]
    assert terms.features(None) == {"a100": 2, "old": 1, "unnamed": 2}
    assert terms.features("a100") == {"a100": 2}
