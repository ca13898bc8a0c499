"""What is free for a request: arithmetic on a survey."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clusterhub.schedulers.capacity import (
    Amount,
    Node,
    Partition,
    Reservation,
    Survey,
    Wish,
    read_constraint,
)
from clusterhub.schedulers.model import Gpus, Memory

GIB = 1024**3


def node(
    name: str, *partitions: str, cpus: int = 16, busy: int = 0, free_gib: int = 64, **more: object
) -> Node:
    whole = Node(
        name, frozenset(partitions or ("batch",)), frozenset(), Amount(cpus, cpus - busy), Amount(64 * GIB)
    )
    return replace(whole, memory=Amount(64 * GIB, free_gib * GIB), **more)  # type: ignore[arg-type]


def survey(*nodes: Node, reservations: tuple[Reservation, ...] = (), **partition: object) -> Survey:
    batch = replace(Partition("batch", is_default=True), **partition)  # type: ignore[arg-type]
    return Survey(1000.0, nodes, {"batch": batch, "gpu": Partition("gpu")}, reservations)


def test_what_jobs_have_and_what_other_partitions_have_is_not_free() -> None:
    free = survey(node("n1", busy=10), node("n2"), node("n3", "gpu")).free(Wish())
    assert free is not None
    assert free.cpus == Amount(32, 22)
    assert free.most_cpus == 16


def test_a_node_of_two_partitions_counts_once_for_a_wish_of_both() -> None:
    free = survey(node("n1", "batch", "gpu")).free(Wish(partitions=("batch", "gpu")))
    assert free is not None
    assert free.cpus == Amount(16, 16)


def test_a_closed_node_is_there_but_gives_nothing() -> None:
    free = survey(node("n1", takes_jobs=False), node("n2", busy=15)).free(Wish(cpus=2))
    assert free is not None
    assert free.cpus == Amount(32, 1)
    assert not free.fits


def test_all_of_it_must_be_free_on_one_node() -> None:
    cores, room = node("n1", free_gib=1), node("n2", busy=15)
    assert not fits(survey(cores, room), Wish(cpus=2, memory=Memory(8 * GIB)))
    assert fits(survey(cores, room, node("n3")), Wish(cpus=2, memory=Memory(8 * GIB)))
    assert not fits(survey(node("n1", free_gib=15)), Wish(cpus=2, memory=Memory(8 * GIB, "cpu")))
    assert fits(survey(node("n1", free_gib=16)), Wish(cpus=2, memory=Memory(8 * GIB, "cpu")))


def test_several_nodes_must_each_have_it() -> None:
    one, two = node("n1"), node("n2", busy=12)
    assert fits(survey(one, two), Wish(nodes=2, cpus=4))
    assert not fits(survey(one, two), Wish(nodes=2, cpus=5))


def test_gpus_are_told_by_type() -> None:
    slices = node("n1", gpus={"1g.5gb": Amount(7, 2), "3g.20gb": Amount(1, 0)})
    free = survey(slices, node("n2", gpus={"": Amount(4, 4)})).free(Wish())
    assert free is not None
    assert free.gpus == {"1g.5gb": Amount(7, 2), "3g.20gb": Amount(1, 0), "": Amount(4, 4)}
    assert fits(survey(slices), Wish(gpus=Gpus(2)))
    assert not fits(survey(slices), Wish(gpus=Gpus(1, "3g.20gb")))


def test_where_jobs_get_whole_nodes_only_an_empty_one_is_free() -> None:
    free = survey(node("n1", busy=1), node("n2"), whole_nodes=True).free(Wish())
    assert free is not None
    assert free.cpus == Amount(32, 16)


def test_a_partition_may_keep_cores_for_others() -> None:
    free = survey(node("n1"), most_cpus_per_node=12).free(Wish(cpus=14))
    assert free is not None
    assert (free.cpus, free.most_cpus, free.fits) == (Amount(12, 12), 12, False)


@pytest.mark.parametrize(
    ("begins", "time", "is_free"), [(2000, 500, True), (2000, 1500, False), (500, 1, False)]
)
def test_nodes_of_a_reservation_are_free_only_for_what_ends_before_it(
    begins: int, time: int, is_free: bool
) -> None:
    kept = Reservation("work", frozenset({"n1"}), begins, 9000, is_maintenance=True)
    assert fits(survey(node("n1"), reservations=(kept,)), Wish(time_seconds=time)) is is_free


def test_a_reservation_gives_its_own_nodes_and_no_others() -> None:
    course = Reservation("course", frozenset({"n1"}), 500, 9000)
    free = survey(node("n1"), node("n2"), reservations=(course,)).free(Wish(reservation="course"))
    assert free is not None
    assert free.cpus == Amount(16, 16)
    late = replace(course, begins_at=2000)
    assert not fits(survey(node("n1"), reservations=(late,)), Wish(reservation="course"))
    assert not fits(survey(node("n1")), Wish(reservation="course"))


def test_only_nodes_with_the_features_count() -> None:
    plain, fast = node("n1"), node("n2", features=frozenset({"avx512", "rack2"}))
    free = survey(plain, fast).free(Wish(constraint="avx512&rack2"))
    assert free is not None
    assert free.cpus == Amount(16, 16)
    assert not fits(survey(plain), Wish(constraint="rack1|rack2"))
    assert fits(survey(plain, fast), Wish(constraint="rack1|rack2"))


def test_what_cannot_be_judged_is_left_to_the_scheduler() -> None:
    for wish in (Wish(constraint="[rack1|rack2]"), Wish(constraint="a*2"), Wish(partitions=("unheard-of",))):
        assert survey(node("n1")).free(wish) is None


def test_a_partition_that_is_down_gives_nothing() -> None:
    assert not fits(survey(node("n1"), takes_jobs=False), Wish())


def test_a_constraint_is_read_as_sbatch_reads_it() -> None:
    assert read_constraint("") == frozenset()
    assert read_constraint("a,b") == read_constraint("a&b") == frozenset({frozenset("a"), frozenset("b")})
    assert read_constraint("a|b") == frozenset({frozenset("ab")})
    assert read_constraint("a|b&c") is None


def fits(survey: Survey, wish: Wish) -> bool:
    free = survey.free(wish)
    return free is not None and free.fits
