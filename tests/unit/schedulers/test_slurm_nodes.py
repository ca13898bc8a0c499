"""Nodes, partitions and reservations as scontrol prints them."""

from __future__ import annotations

import pytest

from clusterhub.schedulers.capacity import Amount
from clusterhub.schedulers.slurm_nodes import read_gpus, read_nodes, read_partitions, read_reservations


def line(state: str = "IDLE", gres: str = "(null)", used: str = "N/A", **more: str) -> str:
    values = {
        "NodeName": "n1",
        "Arch": "x86_64",
        "CPUAlloc": "4",
        "CPUEfctv": "30",
        "CPUTot": "32",
        "AvailableFeatures": "avx512,rack1",
        "ActiveFeatures": "avx512",
        "Gres": gres,
        "GresUsed": used,
        "OS": "Linux 6.1.0-30-amd64 #1 SMP PREEMPT_DYNAMIC",
        "RealMemory": "1000",
        "AllocMem": "300",
        "State": state,
        "Partitions": "batch,gpu",
        **more,
    }
    return " ".join(f"{name}={value}" for name, value in values.items()) + "\n"


def test_a_node_is_read() -> None:
    (node,) = read_nodes(line("MIXED"))
    assert (node.name, node.cpus, node.memory) == ("n1", Amount(30, 26), Amount(1000 * 2**20, 700 * 2**20))
    assert (node.partitions, node.features) == (frozenset({"batch", "gpu"}), frozenset({"avx512"}))
    assert node.takes_jobs


@pytest.mark.parametrize(
    ("state", "takes_jobs"),
    [
        ("IDLE", True),
        ("MIXED+CLOUD", True),
        ("IDLE+CLOUD+POWERED_DOWN", True),
        ("ALLOCATED", True),
        ("IDLE+DRAIN", False),
        ("MIXED+DRAIN", False),
        ("IDLE*", False),
        ("IDLE+NOT_RESPONDING", False),
        ("DOWN*+DRAIN", False),
        ("IDLE+MAINTENANCE+RESERVED", False),
        ("IDLE+PLANNED", False),
        ("IDLE+RESERVED", True),
        ("UNKNOWN", False),
        ("FUTURE", False),
        ("A_WORD_OF_TOMORROW", False),
    ],
)
def test_nodes_that_take_no_jobs_are_told_from_those_that_do(state: str, takes_jobs: bool) -> None:
    (node,) = read_nodes(line(state))
    assert node.takes_jobs is takes_jobs


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("(null)", {}),
        ("gpu:4", {"": 4}),
        ("gpu:a100:4", {"a100": 4}),
        ("gpu:a100:2(S:0-1),gpu:v100:1(S:1)", {"a100": 2, "v100": 1}),
        ("gpu:1g.5gb:7,gpu:3g.20gb:1(S:0,2),shard:8", {"1g.5gb": 7, "3g.20gb": 1}),
        ("gpu:h200:0(IDX:N/A)", {"h200": 0}),
        ("gpu:a100:2(IDX:0,2),craynetwork:4", {"a100": 2}),
        ("gpu:nvidia_a100_80gb_pcie:4", {"nvidia_a100_80gb_pcie": 4}),
        ("bandwidth:lustre:no_consume:4G,gpu:2", {"": 2}),
    ],
)
def test_gpus_are_counted_by_type(gres: str, gpus: dict[str, int]) -> None:
    assert read_gpus(gres) == gpus


def test_gpus_that_jobs_have_are_not_free() -> None:
    (node,) = read_nodes(line(gres="gpu:a100:4(S:0-1)", used="gpu:a100:3(IDX:0-2)"))
    assert node.gpus == {"a100": Amount(4, 1)}


def test_what_people_write_cannot_say_it_again() -> None:
    (node,) = read_nodes(line("IDLE+DRAIN", Reason="broken State=IDLE CPUAlloc=0 [root@2026]"))
    assert not node.takes_jobs


@pytest.mark.parametrize(
    "text", ["slurm_load_node error\n", line().rstrip(), line().replace("CPUAlloc", "X")]
)
def test_anything_else_is_no_answer(text: str) -> None:
    with pytest.raises(ValueError, match=r"incomplete|begin|CPUAlloc"):
        read_nodes(text)


def test_a_partition_is_read() -> None:
    found = read_partitions(
        "PartitionName=gpu AllowGroups=staff,gpu-users AllowAccounts=ALL AllowQos=normal,long Default=NO "
        "DefaultTime=01:00:00 Hidden=YES MaxNodes=2 MaxTime=1-00:00:00 MaxCPUsPerNode=UNLIMITED Nodes=n[1-2] "
        "OverSubscribe=EXCLUSIVE State=UP TotalCPUs=32\n"
        "PartitionName=all AllowGroups=ALL DenyAccounts=guests Default=YES DefaultTime=NONE Hidden=NO "
        "MaxNodes=UNLIMITED MaxTime=UNLIMITED MaxCPUsPerNode=12 OverSubscribe=NO State=DOWN\n"
    )
    gpu, everybody = found["gpu"], found["all"]
    assert (gpu.groups, gpu.accounts, gpu.qos) == (
        frozenset({"staff", "gpu-users"}),
        None,
        frozenset({"normal", "long"}),
    )
    assert (gpu.most_time, gpu.default_time, gpu.most_nodes) == (86400, 3600, 2)
    assert gpu.is_hidden
    assert gpu.whole_nodes
    assert gpu.takes_jobs
    assert not gpu.is_default
    assert (everybody.groups, everybody.denied_accounts) == (None, frozenset({"guests"}))
    assert (everybody.most_time, everybody.default_time, everybody.most_nodes) == (None, None, None)
    assert everybody.most_cpus_per_node == 12
    assert everybody.is_default
    assert not everybody.takes_jobs


def test_reservations_are_read() -> None:
    (course,) = read_reservations(
        "ReservationName=course StartTime=1700000000 EndTime=1700003600 Duration=01:00:00 Nodes=n[1-2] "
        "NodeCnt=2 CoreCnt=32 Features=(null) PartitionName=(null) Flags=MAINT,SPEC_NODES TRES=cpu=32 "
        "Users=(null) Groups=(null) Accounts=teaching Licenses=(null) State=INACTIVE\n"
    )
    assert course.nodes == {"n1", "n2"}
    assert (course.begins_at, course.ends_at) == (1700000000, 1700003600)
    assert (course.people, course.accounts, course.is_maintenance) == (
        frozenset(),
        frozenset({"teaching"}),
        True,
    )
    assert read_reservations("No reservations in the system\n") == ()
