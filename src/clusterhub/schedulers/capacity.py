"""What a cluster has and what of it is free, as one survey of its nodes says; values and arithmetic only.

What is counted here is what no job has at the moment. Whether a request would start at once also hangs on the
jobs that wait and on limits of accounts, which only the scheduler itself can tell.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from clusterhub.schedulers.model import Gpus, Memory

_WORD = re.compile(r"[A-Za-z0-9_.\-]+")


@dataclass(frozen=True)
class Amount:
    """How many of something there are, and how many of them no job has."""

    total: int = 0
    free: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.total + other.total, self.free + other.free)


@dataclass(frozen=True)
class Node:
    """One node. Memory is in bytes."""

    name: str
    partitions: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    """Those that it has now, which jobs can ask for."""
    cpus: Amount = Amount()
    memory: Amount = Amount()
    gpus: Mapping[str, Amount] = field(default_factory=lambda: MappingProxyType({}))
    """By the scheduler's word for the type, such as ``a100`` or ``1g.5gb``; empty for those of none."""
    takes_jobs: bool = True
    """False while it is down, drained or kept for something else."""
    possible_features: frozenset[str] = frozenset()
    """Those that it has or could be given, which jobs can wait for."""

    def gpus_of(self, kind: str | None) -> Amount:
        """Its GPUs of that type; None stands for any."""
        return sum((each for name, each in self.gpus.items() if kind in (None, name)), Amount())

    @property
    def is_empty(self) -> bool:
        """Whether no job has anything of it."""
        return self.cpus.free == self.cpus.total


@dataclass(frozen=True)
class Partition:
    """A queue for a set of nodes. Times are seconds."""

    name: str
    is_default: bool = False
    is_hidden: bool = False
    takes_jobs: bool = True
    """Whether what is submitted to it would start; not while it is down or inactive."""
    whole_nodes: bool = False
    """Whether each job gets all of its nodes."""
    most_time: int | None = None
    """None where there is no limit."""
    default_time: int | None = None
    most_nodes: int | None = None
    most_cpus_per_node: int | None = None
    groups: frozenset[str] | None = None
    """The Unix groups whose people may use it; None stands for everybody's."""
    accounts: frozenset[str] | None = None
    """The only accounts that may use it; None for all but those of `denied_accounts`."""
    denied_accounts: frozenset[str] = frozenset()
    qos: frozenset[str] | None = None
    """The only qualities of service that may be used in it; None for all."""
    denied_qos: frozenset[str] = frozenset()
    own_qos: str = ""
    """The quality of service whose limits hold for all of its jobs; empty where there is none."""

    def takes(self, *, account: str | None, qos: str | None, groups: Collection[str]) -> bool:
        """Whether such a job may be in it; an account or quality of service that is not known may."""
        return (
            (self.groups is None or not self.groups.isdisjoint(groups))
            and (account is None or self.accounts is None or account in self.accounts)
            and account not in self.denied_accounts
            and (qos is None or self.qos is None or qos in self.qos)
            and qos not in self.denied_qos
        )


@dataclass(frozen=True)
class Reservation:
    """Nodes that are kept for some people, or for maintenance. Times are seconds since the epoch."""

    name: str
    nodes: frozenset[str]
    begins_at: float
    ends_at: float
    people: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    is_maintenance: bool = False

    def is_for(self, person: str, account: str | None, groups: Collection[str]) -> bool:
        """Whether that person may run in it with that account; one that is not known may do."""
        if f"-{person}" in self.people or f"-{account}" in self.accounts:
            return False
        people = {each for each in self.people if not each.startswith("-")}
        accounts = {each for each in self.accounts if not each.startswith("-")}
        if people and accounts:  # both are asked for (scontrol's manual, "RESERVATIONS")
            return person in people and (account is None or account in accounts)
        if self.groups and not self.groups.isdisjoint(groups):
            return True
        return person in people or bool(accounts and (account is None or account in accounts))

    def overlaps(self, begin: float, end: float) -> bool:
        """Whether it holds its nodes at some moment of that time."""
        return self.begins_at < end and begin < self.ends_at


@dataclass(frozen=True)
class Wish:
    """What is looked for: a job's resources and where it may run."""

    partitions: tuple[str, ...] = ()
    """Empty for the scheduler's default."""
    cpus: int = 1
    memory: Memory | None = None
    gpus: Gpus | None = None
    nodes: int = 1
    time_seconds: int = 0
    reservation: str | None = None
    constraint: str | None = None


@dataclass(frozen=True)
class Free:
    """What is free for a wish."""

    cpus: Amount
    """Of all nodes that the wish may use."""
    memory: Amount
    """The same, in bytes."""
    most_cpus: int
    """On the node that has the most."""
    most_memory: int
    """Bytes, on the node that has the most."""
    gpus: Mapping[str, Amount]
    fits: bool
    """Whether enough nodes have all of it free at once."""


@dataclass(frozen=True)
class Kinds:
    """What the nodes of one partition are like, taken together."""

    nodes: int = 0
    most_cpus: int = 0
    """On the node that has the most, whether it is free or not; so the others."""
    most_memory: int = 0
    """Bytes."""
    most_gpus: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """By type; under the empty name those of all types of one node."""
    features: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """How many nodes have or could have each."""


@dataclass(frozen=True)
class Survey:
    """What a cluster had at one moment."""

    taken_at: float
    """Seconds since the epoch."""
    nodes: tuple[Node, ...] = ()
    partitions: Mapping[str, Partition] = field(default_factory=lambda: MappingProxyType({}))
    reservations: tuple[Reservation, ...] = ()

    @cached_property
    def kinds(self) -> Mapping[str, Kinds]:
        """What the nodes of each partition are like; gone through once, as there may be thousands."""
        of: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for name in node.partitions:
                of[name].append(node)
        return MappingProxyType({name: _kinds(nodes) for name, nodes in of.items()})

    def free(self, wish: Wish) -> Free | None:
        """What of it is free now for such a job; None where the wish says what we cannot judge.

        That is a constraint with counts or alternatives in brackets, or a partition that nobody told of.
        """
        wanted = self._partitions(wish)
        required = read_constraint(wish.constraint or "")
        if wanted is None or required is None:
            return None
        cpus, memory, gpus = Amount(), Amount(), defaultdict[str, Amount](Amount)
        fitting = most_cpus = most_memory = 0
        for node, whole, limit in self._eligible(wanted, required, wish):
            usable = node.takes_jobs and not (whole and not node.is_empty)
            free = min(node.cpus.free, limit) if usable else 0
            free_memory = node.memory.free if usable else 0
            memory += Amount(node.memory.total, free_memory)
            cpus += Amount(min(node.cpus.total, limit), free)
            for kind, amount in node.gpus.items():
                gpus[kind] += Amount(amount.total, amount.free if usable else 0)
            most_cpus, most_memory = max(most_cpus, free), max(most_memory, free_memory)
            fitting += usable and _fits(node, free, wish)
        found = MappingProxyType(dict(gpus))
        return Free(cpus, memory, most_cpus, most_memory, found, fitting >= wish.nodes)

    def _partitions(self, wish: Wish) -> list[Partition] | None:
        if not wish.partitions:
            return [each for each in self.partitions.values() if each.is_default] or None
        if not all(name in self.partitions for name in wish.partitions):
            return None
        return [self.partitions[name] for name in wish.partitions]

    def _eligible(
        self, wanted: Iterable[Partition], required: frozenset[frozenset[str]], wish: Wish
    ) -> Iterator[tuple[Node, bool, int]]:
        """The nodes such a job may have now, each with whether it must be empty, and its limit of CPUs."""
        until = self.taken_at + wish.time_seconds
        kept: set[str] = set()
        own: frozenset[str] | None = frozenset() if wish.reservation is not None else None
        for each in self.reservations:
            if each.name == wish.reservation:
                if each.overlaps(self.taken_at, self.taken_at + 1):
                    own = each.nodes
            elif each.overlaps(self.taken_at, until):
                kept |= each.nodes
        for node in self.nodes:
            there = [each for each in wanted if each.name in node.partitions and each.takes_jobs]
            if not there or not all(node.features & alternatives for alternatives in required):
                continue
            if node.name not in own if own is not None else node.name in kept:
                continue
            limit = max(each.most_cpus_per_node or node.cpus.total for each in there)
            yield node, all(each.whole_nodes for each in there), limit


def _kinds(nodes: Sequence[Node]) -> Kinds:
    gpus, features = defaultdict[str, int](int), Counter[str]()
    for node in nodes:
        features.update(node.features | node.possible_features)
        for kind, amount in node.gpus.items():
            if kind:
                gpus[kind] = max(gpus[kind], amount.total)
        gpus[""] = max(gpus[""], node.gpus_of(None).total)
    return Kinds(
        len(nodes),
        max(node.cpus.total for node in nodes),
        max(node.memory.total for node in nodes),
        MappingProxyType(dict(gpus)),
        MappingProxyType(dict(features)),
    )


def _fits(node: Node, free_cpus: int, wish: Wish) -> bool:
    memory = 0
    if wish.memory is not None:
        memory = wish.memory.bytes * (wish.cpus if wish.memory.per == "cpu" else 1)
    gpus = wish.gpus.count if wish.gpus else 0
    kind = wish.gpus.type if wish.gpus else None
    return free_cpus >= wish.cpus and node.memory.free >= memory and node.gpus_of(kind).free >= gpus


def read_constraint(text: str) -> frozenset[frozenset[str]] | None:
    """The features that are asked for: of each inner set one at least. None where that is not all of it.

    ``a&b`` and ``a,b`` ask for both, ``a|b`` for one of them (sbatch's manual, ``--constraint``); counts,
    brackets and mixtures are left to the scheduler.
    """
    if not text:
        return frozenset()
    if "|" in text and ("&" in text or "," in text):
        return None
    parts = re.split(r"[&,]", text)
    groups = [part.split("|") for part in parts]
    if not all(_WORD.fullmatch(word) for group in groups for word in group):
        return None
    return frozenset(frozenset(group) for group in groups)
