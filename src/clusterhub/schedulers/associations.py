"""Who may charge which account, with which quality of service, and how much one job of theirs may have.

Values and arithmetic only. Where nothing is known of a person there is no answer, which is no refusal:
accounting may be away, keep people's data private, or not be enforced; then the scheduler has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from clusterhub.schedulers.capacity import Partition

Amounts = Mapping[str, int]
"""By ``cpus``, ``memory`` (bytes), ``gpus``, ``nodes``; GPUs of one type are ``gpus:TYPE``."""

NONE: Amounts = MappingProxyType({})


@dataclass(frozen=True)
class Limits:
    """What somebody's jobs may have; what is not there has no limit."""

    time: int | None = None
    """Seconds."""
    job: Amounts = field(default_factory=lambda: NONE)
    """Of all nodes of one job."""
    node: Amounts = field(default_factory=lambda: NONE)
    """Of each node of a job."""
    group: Amounts = field(default_factory=lambda: NONE)
    """Of all jobs together that run at a time, so of one as well."""


@dataclass(frozen=True)
class Association:
    """That a person may charge an account: in one partition, or (empty) in those without their own."""

    account: str
    partition: str = ""
    qos: frozenset[str] = frozenset()
    default_qos: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True)
class Account:
    """An account that people, or further accounts, belong to."""

    parent: str = ""
    group: Amounts = field(default_factory=lambda: NONE)


@dataclass(frozen=True)
class Qos:
    """A quality of service."""

    limits: Limits = Limits()
    before_partition: bool = False
    """Whether its limits count rather than those of the partition's own quality of service."""
    any_time: bool = False
    """Whether the partition's limit of time does not hold."""
    any_nodes: bool = False
    """Whether the partition's limit of nodes does not hold."""


@dataclass(frozen=True)
class Ceiling:
    """The most that one job may have."""

    time: int | None = None
    """Seconds."""
    job: Amounts = field(default_factory=lambda: NONE)
    node: Amounts = field(default_factory=lambda: NONE)

    def per_node(self, key: str, nodes: int) -> int | None:
        """Of an amount that is counted per node, for a job of so many nodes; None where there is no limit."""
        found = [self.node[key]] if key in self.node else []
        if key in self.job:
            found.append(self.job[key] // max(1, nodes))
        return min(found, default=None)


@dataclass(frozen=True)
class Associations:
    """What accounting says of everybody, at one moment."""

    people: Mapping[str, tuple[Association, ...]] = field(default_factory=lambda: MappingProxyType({}))
    default_accounts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    accounts: Mapping[str, Account] = field(default_factory=lambda: MappingProxyType({}))
    qos: Mapping[str, Qos] = field(default_factory=lambda: MappingProxyType({}))
    limits_hold: bool = True
    """Whether the scheduler refuses what is beyond the limits."""
    qos_hold: bool = True
    """Whether it refuses a quality of service that is not the association's."""

    def association(self, person: str, account: str | None, partition: str | None) -> Association | None:
        """What counts for a job of that person; without ``account`` that of the person's default one."""
        account = account or self.default_accounts.get(person)
        mine = [each for each in self.people.get(person, ()) if each.account == account]
        for wanted in (partition, ""):
            for each in mine:
                if each.partition == wanted:
                    return each
        return None

    def qos_of(self, association: Association | None, chosen: str | None) -> str | None:
        """The quality of service that a job gets; None where that is not known."""
        if chosen or association is None:
            return chosen
        return association.default_qos or ("normal" if "normal" in association.qos else None)

    def ceiling(
        self, person: str, *, account: str | None, qos: str | None, partition: Partition | None
    ) -> Ceiling:
        """The most that one job may have, by accounting and by the partition.

        The first in this order that sets a limit sets it: the partition's quality of service, the job's, the
        person's association, that of the account and its parents (Slurm's "Resource Limits": hierarchy).
        """
        association = self.association(person, account, partition.name if partition else None)
        name = self.qos_of(association, qos)
        chosen = self.qos.get(name or "")
        levels = [] if not self.limits_hold else self._levels(association, chosen, partition)
        time = next((each.time for each in levels if each.time is not None), None)
        job = {key: each for level in reversed(levels) for key, each in level.job.items()}
        node = {key: each for level in reversed(levels) for key, each in level.node.items()}
        group: dict[str, int] = {}
        for each in self._account_limits(association):
            _narrow(group, each)
        group.update({key: each for level in reversed(levels) for key, each in level.group.items()})
        _narrow(job, group)
        if partition is not None:
            if not (chosen and chosen.any_time) and partition.most_time is not None:
                time = partition.most_time if time is None else min(time, partition.most_time)
            if not (chosen and chosen.any_nodes) and partition.most_nodes is not None:
                _narrow(job, {"nodes": partition.most_nodes})
            if partition.most_cpus_per_node is not None:
                _narrow(node, {"cpus": partition.most_cpus_per_node})
        return Ceiling(time, MappingProxyType(job), MappingProxyType(node))

    def _levels(
        self, association: Association | None, chosen: Qos | None, partition: Partition | None
    ) -> list[Limits]:
        own = self.qos.get(partition.own_qos) if partition is not None and partition.own_qos else None
        order = [chosen, own] if chosen is not None and chosen.before_partition else [own, chosen]
        levels = [each.limits for each in order if each is not None]
        return levels if association is None else [*levels, association.limits]

    def _account_limits(self, association: Association | None) -> Iterator[Amounts]:
        """Of the account and its parents, each of which holds for itself."""
        name, seen = association.account if association is not None and self.limits_hold else "", set[str]()
        while name in self.accounts and name not in seen:
            seen.add(name)
            yield self.accounts[name].group
            name = self.accounts[name].parent


def _narrow(amounts: dict[str, int], further: Amounts) -> None:
    for key, most in further.items():
        amounts[key] = min(most, amounts.get(key, most))
