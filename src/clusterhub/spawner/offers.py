"""What one person may choose in a profile, as the scheduler and its accounting say. Pure.

The same terms make the form and judge what comes back, whichever way it comes. What nobody can tell at the
moment is left to the scheduler, which has the last word on all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from clusterhub.languages.text import _, counted
from clusterhub.schedulers.associations import Associations, Ceiling
from clusterhub.schedulers.capacity import Kinds, Partition, Reservation
from clusterhub.site.quantities import format_duration
from clusterhub.site.ranges import Range
from clusterhub.site.schema import Profile
from clusterhub.spawner.knowledge import NOTHING, Known

MOST_COMBINATIONS = 64
"""Of account, quality of service and partition, for which a form says the widest limits."""


NOBODY = Associations()
"""Where accounting says nothing, a partition's own limits still hold."""


@dataclass(frozen=True)
class Item:
    """One thing to choose from a list."""

    value: str
    note: str = ""


@dataclass(frozen=True)
class Wanted:
    """What decides about a job's limits besides the person; None for the scheduler's default."""

    account: str | None = None
    qos: str | None = None
    partition: str | None = None
    """None for those of the profile, of which the scheduler takes the first that can."""
    gpu_type: str | None = None

    @classmethod
    def by_default(cls, profile: Profile) -> Wanted:
        """Of who chooses none of it."""
        kind = profile.gpus.type if profile.gpus is not None else None
        return cls(profile.account, profile.qos, None, kind)


@dataclass(frozen=True)
class Terms:
    """A profile as it is for one person."""

    profile: Profile
    person: str
    groups: frozenset[str] = frozenset()
    known: Known = NOTHING

    def offers(self, key: str) -> bool:
        """Whether the operator lets people choose that."""
        return key in (self.profile.choose or ())

    @property
    def is_for_person(self) -> bool:
        """False where every partition of the profile is one that this person is kept out of."""
        named = self.profile.partition
        return not named or any(self._may_enter(name) for name in named)

    def _may_enter(self, name: str) -> bool:
        if self.known.survey is None or name not in self.known.survey.partitions:
            return True  # a partition that nobody told of is one that nobody can judge
        partition = self.known.survey.partitions[name]
        accounts: Sequence[str | None] = self.accounts() or [None]
        return any(partition.takes(account=each, qos=None, groups=self.groups) for each in accounts)

    @property
    def has_accounting(self) -> bool:
        """False where the scheduler takes jobs without a look at accounts."""
        return self.known.associations is None or bool(self.known.associations.people)

    def accounts(self) -> list[str] | None:
        """Those that the person may charge, sorted; None where nobody can tell."""
        known = self.known.associations
        if known is None or self.person not in known.people:
            return None
        return sorted({each.account for each in known.people[self.person]})

    def account_of(self, account: str | None) -> str | None:
        """The account that is charged, where that is known."""
        known = self.known.associations
        return account or (known.default_accounts.get(self.person) if known is not None else None)

    def qos(self, account: str | None) -> list[str] | None:
        """What may be used with that account, sorted; None where nobody can tell."""
        known = self.known.associations
        if known is None or not known.qos_hold or self.person not in known.people:
            return None
        account = self.account_of(account)
        mine = [each for each in known.people[self.person] if account in (None, each.account)]
        return sorted(frozenset().union(*(each.qos for each in mine)))

    def partitions(self) -> list[str] | None:
        """Those of the profile that the person may use, or all that are not hidden; None: nobody can tell."""
        survey = self.known.survey
        if self.profile.partition:
            return [name for name in self.profile.partition if self._may_enter(name)]
        if survey is None:
            return None
        return [
            name for name, each in survey.partitions.items() if not each.is_hidden and self._may_enter(name)
        ]

    def reservations(self) -> list[Reservation] | None:
        """Those that are not over, or not for maintenance, and that the person may use."""
        survey = self.known.survey
        if survey is None:
            return None
        accounts: Sequence[str | None] = self.accounts() or [None]
        return [
            each
            for each in survey.reservations
            if each.ends_at > survey.taken_at
            and not each.is_maintenance
            and any(each.is_for(self.person, account, self.groups) for account in accounts)
        ]

    def is_active(self, reservation: Reservation) -> bool:
        """Whether its time has come."""
        survey = self.known.survey
        return survey is not None and reservation.overlaps(survey.taken_at, survey.taken_at + 1)

    def kinds(self, partition: str | None) -> list[Kinds] | None:
        """What the nodes are like, of each partition that the job may be in; None where nobody can tell."""
        survey = self.known.survey
        if survey is None:
            return None
        names = self._names(partition)
        if not names or any(name not in survey.kinds for name in names):
            return None
        return [survey.kinds[name] for name in names]

    def features(self, partition: str | None) -> dict[str, int] | None:
        """What nodes may be asked for, with the number of nodes that have it; None where nobody can tell."""
        kinds = self.kinds(partition)
        if kinds is None:
            return None
        found: dict[str, int] = {}
        for each in kinds:
            for name, count in each.features.items():
                found[name] = max(count, found.get(name, 0))
        return dict(sorted(found.items()))

    def gpu_types(self, partition: str | None) -> list[str] | None:
        """The models that there are; None where nobody can tell."""
        kinds = self.kinds(partition)
        return None if kinds is None else sorted({name for each in kinds for name in each.most_gpus if name})

    def most(self, key: str, wanted: Wanted, *, nodes: int, cpus: int) -> int | None:
        """The most of an amount that such a job may have, in the profile's unit; None: nobody can tell."""
        if self.known is NOTHING:
            return None
        names = self._names(wanted.partition)
        taking = [name for name in names if self._takes(name, wanted.account, wanted.qos)]
        where: Sequence[str | None] = taking or names or (None,)
        tops = [self._most_in(key, wanted, name, nodes, cpus) for name in where]
        return None if None in tops else max(top for top in tops if top is not None)

    def _most_in(self, key: str, wanted: Wanted, partition: str | None, nodes: int, cpus: int) -> int | None:
        survey = self.known.survey
        there = survey.partitions.get(partition or "") if survey is not None else None
        kinds = survey.kinds.get(partition or "") if survey is not None else None
        ceiling = self._ceiling(wanted, there)
        if key == "time":
            return ceiling.time
        if key == "nodes":
            found = [ceiling.job.get("nodes"), kinds.nodes if kinds else None]
        else:
            names = {key, f"gpus:{wanted.gpu_type}"} if key == "gpus" and wanted.gpu_type else {key}
            found = [ceiling.per_node(name, nodes) for name in names]
            found.append(_hardware(key, kinds, wanted.gpu_type) if kinds else None)
        top = min((each for each in found if each is not None), default=None)
        if top is not None and key == "memory" and self.profile.memory and self.profile.memory.per == "cpu":
            return top // max(1, cpus)
        return top

    def _ceiling(self, wanted: Wanted, partition: Partition | None) -> Ceiling:
        known = self.known.associations or NOBODY
        return known.ceiling(self.person, account=wanted.account, qos=wanted.qos, partition=partition)

    def _names(self, partition: str | None) -> tuple[str, ...]:
        """The partitions that a job may be in."""
        if partition is not None:
            return (partition,)
        if self.profile.partition or self.known.survey is None:
            return self.profile.partition
        return tuple(each.name for each in self.known.survey.partitions.values() if each.is_default)

    def widest(self, key: str) -> Range | None:
        """The range of an amount as a form can say it, before account, QOS and partition are chosen.

        None where the profile has none, or its least is more than this person may have.
        """
        given: Range | None = getattr(self.profile, key)
        if given is None or self.known is NOTHING:
            return given
        plain = Wanted.by_default(self.profile)
        at_least = {"nodes": self.profile.nodes.min, "cpus": self.profile.cpus.min}
        tops = [self.most(key, each, **at_least) for each in (plain, *self._combinations)]
        top = (
            given.max if None in tops else min(given.max, *(max(each for each in tops if each is not None),))
        )
        if top < given.min:
            return None
        preset = given.default if tops[0] is None else max(given.min, min(given.default, tops[0]))
        return given.model_copy(update={"max": top, "default": min(preset, top)})

    def _takes(self, name: str | None, account: str | None, qos: str | None) -> bool:
        """Whether the partition takes such jobs; one that nobody told of may do."""
        survey = self.known.survey
        partition = survey.partitions.get(name or "") if survey is not None else None
        account = self.account_of(account)
        return partition is None or partition.takes(account=account, qos=qos, groups=partition.groups or ())

    def preset(self, key: str) -> int | None:
        """The amount of who changes nothing: no more than this person may have."""
        limits = self.widest(key) or getattr(self.profile, key)
        return limits.default if limits is not None else None

    @cached_property
    def _combinations(self) -> tuple[Wanted, ...]:
        plain = Wanted.by_default(self.profile)
        accounts = self.accounts() if self.offers("account") else None
        partitions = self.partitions() if self.offers("partition") else None
        kinds = self.gpu_types(None) if self.offers("gpu_type") else None
        found = [
            replace(plain, account=account, qos=qos, partition=partition, gpu_type=kind)
            for account in _or(accounts, plain.account)
            for qos in _or(self.qos(account) if self.offers("qos") else None, plain.qos)
            for partition, kind in product(_or(partitions, None), [plain.gpu_type, *(kinds or ())])
            if self._takes(partition, account, qos)
        ]
        return tuple(found) if len(found) <= MOST_COMBINATIONS else ()


def _or(listed: Sequence[str] | None, otherwise: str | None) -> Sequence[str | None]:
    return listed or (otherwise,)


def _hardware(key: str, kinds: Kinds, gpu_type: str | None) -> int | None:
    if key == "gpus":
        return kinds.most_gpus.get(gpu_type or "")
    return {"cpus": kinds.most_cpus, "memory": kinds.most_memory}[key]


def items(terms: Terms, key: str) -> tuple[Item, ...] | None:
    """What a form lists for one of the things to choose; None where that is typed, or nobody can tell."""
    listed: Iterable[Item] | None
    if key == "account":
        listed = _plain(terms.accounts())
    elif key == "qos":
        listed = _noted(terms, _every_qos(terms), "qos")
    elif key == "partition":
        listed = _noted(terms, terms.partitions(), "partition")
    elif key == "gpu_type":
        listed = _plain(terms.gpu_types(None))
    elif key == "reservation":
        mine = terms.reservations()
        listed = None if mine is None else [Item(each.name) for each in mine if terms.is_active(each)]
    elif key == "constraint":
        found = terms.features(None)
        listed = None if found is None else [Item(name, _nodes(count)) for name, count in found.items()]
    else:
        listed = None
    return None if listed is None else tuple(listed)


def _plain(names: Iterable[str] | None) -> Iterator[Item] | None:
    return None if names is None else (Item(name) for name in names)


def _every_qos(terms: Terms) -> list[str] | None:
    if not terms.offers("account"):
        return terms.qos(terms.profile.account)
    found = [terms.qos(account) for account in terms.accounts() or ()]
    return sorted({name for each in found for name in each or ()}) if found and None not in found else None


def _noted(terms: Terms, names: Iterable[str] | None, key: str) -> Iterator[Item] | None:
    """Each with the time that it allows, where that is less than what the profile offers."""
    if names is None:
        return None
    plain = Wanted.by_default(terms.profile)
    return (Item(name, _time_note(terms, replace(plain, **{key: name}))) for name in names)


def _time_note(terms: Terms, wanted: Wanted) -> str:
    most = terms.most("time", wanted, nodes=1, cpus=1)
    if most is None or most >= terms.profile.time.max:
        return ""
    return _("at most {time}").format(time=format_duration(most))


def _nodes(count: int) -> str:
    return counted("one node", "{count} nodes", count)
