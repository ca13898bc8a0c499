"""What Slurm says of its nodes, partitions and reservations: one line each, of ``scontrol --oneliner show``.

A line is a row of ``Key=Value``. Values with spaces are those that people write (reasons, comments) or that
the node tells of itself (its system); what is read here stands before them and holds none. ``scontrol`` of
every version from 22.05 to 26.05 prints these keys; those that a version lacks count as absent.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from clusterhub.schedulers.capacity import Amount, Node, Partition, Reservation
from clusterhub.schedulers.hostlist import expand_hostlist
from clusterhub.schedulers.slurm_quantities import MEBIBYTE, read_duration, read_time

_PAIR = re.compile(r"(?:^| )(\w+(?::\w+)?)=(\S*)")
_GRES = re.compile(r"gpu(?::(?P<type>[^:(,]+))??:(?P<count>\d+)(?=[(,]|$)")
_NO = frozenset({"", "(null)", "N/A", "NONE"})
_ALL = _NO | {"ALL"}
_UNLIMITED = frozenset({"", "UNLIMITED", "NONE", "INFINITE", "N/A"})

TAKING = frozenset({"IDLE", "MIXED", "ALLOCATED", "COMPLETING"})
"""The base states of a node that takes jobs, as soon as there is room."""

MARKS = "*~#!%$@^-"
"""Single letters behind a state that say a flag once more (sinfo(1), "NODE STATE CODES")."""

CLOSED = frozenset(
    {
        "DRAIN",
        "DRAINING",
        "DRAINED",
        "FAIL",
        "FAILING",
        "NOT_RESPONDING",
        "MAINTENANCE",
        "MAINT",
        "REBOOT",
        "REBOOT_REQUESTED",
        "REBOOT_ISSUED",
        "POWERING_DOWN",
        "BLOCKED",
        "INVALID_REG",
        "PLANNED",
    }
)
"""Flags of a node that gets no new job for now. POWERED_DOWN is not among them: it is powered up for one."""


def read_nodes(text: str) -> tuple[Node, ...]:
    """The nodes of ``scontrol --all --oneliner --detail show node``. Raises ValueError for anything else."""
    return tuple(_node(values) for values in _lines(text, "NodeName"))


def read_partitions(text: str) -> Mapping[str, Partition]:
    """The partitions of ``scontrol --all --oneliner show partition`` by name. Raises ValueError."""
    found = (_partition(values) for values in _lines(text, "PartitionName"))
    return MappingProxyType({each.name: each for each in found})


def read_reservations(text: str) -> tuple[Reservation, ...]:
    """The reservations of ``scontrol --all --oneliner show reservation``. Raises ValueError."""
    if text.startswith("No reservations"):
        return ()
    return tuple(_reservation(values) for values in _lines(text, "ReservationName"))


def read_gpus(gres: str) -> dict[str, int]:
    """GPUs by type of a list of generic resources, such as ``gpu:a100:2(S:0-1),gpu:1g.5gb:7,shard:8``."""
    found: dict[str, int] = defaultdict(int)
    for word in re.split(r",(?![^(]*\))", gres):
        if match := _GRES.match(word):
            found[match["type"] or ""] += int(match["count"])
    return dict(found)


class _Line(dict[str, str]):
    """The values of one line by their keys."""

    def __missing__(self, key: str) -> str:
        raise ValueError(f"there is no {key} in what is said of {next(iter(self.values()), '')!r:.40}")


def _lines(text: str, first: str) -> Iterator[_Line]:
    if text and not text.endswith("\n"):
        raise ValueError("the last line is incomplete")
    for line in text.splitlines():
        if not line.strip():
            continue
        if not line.startswith(f"{first}="):
            raise ValueError(f"{line[:40]!r} does not begin with {first}")
        values = _Line()
        for name, value in _PAIR.findall(line):
            values.setdefault(name, value)  # what people wrote comes later and cannot say it again
        yield values


def _node(values: Mapping[str, str]) -> Node:
    cpus = int(values.get("CPUEfctv") or values["CPUTot"])
    busy = int(values["CPUAlloc"])
    memory = int(values["RealMemory"]) - int(values.get("MemSpecLimit") or 0)
    given = int(values["AllocMem"])
    there, used = read_gpus(values.get("Gres", "")), read_gpus(values.get("GresUsed", ""))
    state, *flags = (word.rstrip(MARKS) for word in values["State"].split("+"))
    answering = "*" not in values["State"]
    return Node(
        name=values["NodeName"],
        partitions=_names(values.get("Partitions", "")) or frozenset(),
        features=_names(values.get("ActiveFeatures", "")) or frozenset(),
        possible_features=_names(values.get("AvailableFeatures", "")) or frozenset(),
        cpus=Amount(cpus, max(0, cpus - busy)),
        memory=Amount(memory * MEBIBYTE, max(0, memory - given) * MEBIBYTE),
        gpus=MappingProxyType(
            {kind: Amount(count, max(0, count - used.get(kind, 0))) for kind, count in there.items()}
        ),
        takes_jobs=answering and state in TAKING and not CLOSED & set(flags),
    )


def _partition(values: Mapping[str, str]) -> Partition:
    return Partition(
        name=values["PartitionName"],
        is_default=values.get("Default") == "YES",
        is_hidden=values.get("Hidden") == "YES",
        takes_jobs=values.get("State", "UP") == "UP",
        whole_nodes=values.get("OverSubscribe") == "EXCLUSIVE" or values.get("ExclusiveUser") == "YES",
        most_time=_limit(values.get("MaxTime", ""), read_duration),
        default_time=_limit(values.get("DefaultTime", ""), read_duration),
        most_nodes=_limit(values.get("MaxNodes", ""), int),
        most_cpus_per_node=_limit(values.get("MaxCPUsPerNode", ""), int),
        groups=_names(values.get("AllowGroups", "")),
        accounts=_names(values.get("AllowAccounts", "")),
        denied_accounts=_names(values.get("DenyAccounts", "")) or frozenset(),
        qos=_names(values.get("AllowQos", "")),
        denied_qos=_names(values.get("DenyQos", "")) or frozenset(),
        own_qos="" if values.get("QoS", "") in _NO else values["QoS"],
    )


def _reservation(values: Mapping[str, str]) -> Reservation:
    begin, end = read_time(values["StartTime"]), read_time(values["EndTime"])
    flags = values.get("Flags", "").split(",")
    return Reservation(
        name=values["ReservationName"],
        nodes=frozenset(expand_hostlist("" if values["Nodes"] in _NO else values["Nodes"])),
        begins_at=begin or 0.0,
        ends_at=end or 0.0,
        people=_names(values.get("Users", "")) or frozenset(),
        accounts=_names(values.get("Accounts", "")) or frozenset(),
        groups=_names(values.get("Groups", "")) or frozenset(),
        is_maintenance="MAINT" in flags,
    )


def _names(text: str) -> frozenset[str] | None:
    """The names of a list; None where it stands for all, or for none."""
    return None if text in _ALL else frozenset(filter(None, text.split(",")))


def _limit(text: str, read: Callable[[str], int | None]) -> int | None:
    return None if text in _UNLIMITED else read(text)
