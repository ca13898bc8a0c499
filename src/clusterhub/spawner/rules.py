"""The rules between what a person chooses: each refuses in words, or passes what nobody can judge. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import cast

from clusterhub.errors import ClusterhubError
from clusterhub.languages.text import _, joined
from clusterhub.schedulers.capacity import Partition, read_constraint
from clusterhub.site.kinds import Kind
from clusterhub.site.profile import ACCOUNT, CONSTRAINT, PARTITION, QOS, RESERVATION
from clusterhub.site.quantities import Refused, quoted
from clusterhub.site.ranges import GPU_TYPE, Range
from clusterhub.spawner.offers import Terms, Wanted
from clusterhub.spawner.own_words import read_directory, read_module, read_variables, write_variables

AMOUNTS = ("cpus", "memory", "gpus", "nodes", "time")
"""What can be chosen as an amount, named as in site.toml's profiles."""


class ChoiceRefused(ClusterhubError):
    """What was chosen is not on offer. ``field`` is one of `options.KEYS`, or empty."""

    def __init__(self, what: str, *, field: str = "", next: str = "") -> None:  # noqa: A002 - as in its base
        super().__init__(
            what, where=_("the choice of {field}").format(field=field) if field else "", next=next
        )
        self.field = field


READERS: Mapping[str, Callable[[str], str]] = {
    **{
        key: cast("Callable[[str], str]", kind.read)
        for key, kind in cast(
            "Mapping[str, Kind]",
            {
                "account": ACCOUNT,
                "qos": QOS,
                "partition": PARTITION,
                "reservation": RESERVATION,
                "constraint": CONSTRAINT,
                "gpu_type": GPU_TYPE,
            },
        ).items()
    },
    "working_directory": read_directory,
    "own_path": read_directory,
    "own_module": read_module,
    "own_image": read_directory,
    "variables": lambda text: write_variables(read_variables(text)),
}
"""What each of the further things to choose must look like, whatever the scheduler knows."""


def read_further(terms: Terms, values: Mapping[str, str | int]) -> dict[str, str]:
    """What was chosen besides amounts and interface, each by itself in its form. Raises ChoiceRefused."""
    found: dict[str, str] = {}
    for key, read in READERS.items():
        if key not in values:
            continue
        if not terms.offers(key):
            raise ChoiceRefused(
                _("The profile {profile} does not let you choose {key}.").format(
                    profile=terms.profile.name, key=key
                ),
                field=key,
                next=_("Leave it out."),
            )
        try:
            text = read(str(values[key]))
        except Refused as error:
            raise ChoiceRefused(
                f"{key}: {error.what}.", field=key, next=_("Give {allowed}.").format(allowed=error.allowed)
            ) from None
        if text:  # there may be blank lines only
            found[key] = text
    return found


def check_further(terms: Terms, chosen: Mapping[str, str], gpus: int | None) -> Wanted:
    """That what was chosen goes together, and is this person's to choose. Raises ChoiceRefused."""
    plain = Wanted.by_default(terms.profile)
    wanted = Wanted(
        chosen.get("account") or plain.account,
        chosen.get("qos") or plain.qos,
        chosen.get("partition"),
        chosen.get("gpu_type") or plain.gpu_type,
    )
    if "account" in chosen:
        _listed("account", chosen["account"], terms.accounts(), _("that you may charge"))
    if "qos" in chosen:
        account = terms.account_of(wanted.account)
        with_account = (
            _("with the account {account}").format(account=account)
            if account
            else _("with your default account")
        )
        _listed(
            "qos",
            chosen["qos"],
            terms.qos(wanted.account),
            _("that you may use {with_account}").format(with_account=with_account),
            "QOS",
        )
    _check_partition(terms, chosen, wanted)
    if "reservation" in chosen:
        _check_reservation(terms, chosen["reservation"], wanted)
    if "constraint" in chosen:
        _check_constraint(terms, chosen["constraint"], wanted)
    if "gpu_type" in chosen:
        if not gpus:
            raise ChoiceRefused(
                _("A model of GPU was chosen, and no GPU."),
                field="gpu_type",
                next=_("Choose GPUs, or no model."),
            )
        there = terms.gpu_types(wanted.partition)
        _listed(
            "gpu_type",
            chosen["gpu_type"],
            there,
            _("in {place}").format(place=_place(terms, wanted)),
            _("model of GPU"),
        )
    return wanted


def _listed(key: str, value: str, listed: Collection[str] | None, which: str, word: str = "") -> None:
    """That it is on the list, where there is one."""
    if listed is None or value in listed:
        return
    raise ChoiceRefused(
        _("There is no {kind} {name} {which}.").format(kind=word or key, name=quoted(value), which=which),
        field=key,
        next=_("Choose {choices}.").format(choices=" or ".join(listed)) if listed else _("Leave it out."),
    )


def _check_partition(terms: Terms, chosen: Mapping[str, str], wanted: Wanted) -> None:
    if "partition" in chosen:
        _listed("partition", chosen["partition"], terms.partitions(), _("that you may use here"))
    survey, known = terms.known.survey, terms.known.associations
    names = (wanted.partition,) if wanted.partition is not None else terms.profile.partition
    if survey is None or not names or any(name not in survey.partitions for name in names):
        return
    there = [survey.partitions[name] for name in names]
    account = terms.account_of(wanted.account)
    if account is not None and not any(_takes_account(each, account) for each in there):
        raise _not_together(names, "account", account, chosen)
    if wanted.qos is not None and not any(_takes_qos(each, wanted.qos) for each in there):
        raise _not_together(names, "qos", wanted.qos, chosen)
    is_theirs = known is not None and account in (terms.accounts() or ())
    # An association may be for one partition alone.
    if (
        known
        and account
        and is_theirs
        and not any(known.association(terms.person, account, x) for x in names)
    ):
        raise _not_together(names, "account", account, chosen)


def _takes_account(partition: Partition, account: str) -> bool:
    return partition.takes(account=account, qos=None, groups=partition.groups or ())


def _takes_qos(partition: Partition, qos: str) -> bool:
    return partition.takes(account=None, qos=qos, groups=partition.groups or ())


def _not_together(names: Collection[str], key: str, value: str, chosen: Mapping[str, str]) -> ChoiceRefused:
    word = "QOS" if key == "qos" else key
    return ChoiceRefused(
        _("The partition {names} does not take your jobs with the {word} {value}.").format(
            names=" or ".join(names), word=word, value=value
        ),
        field=key if key in chosen or "partition" not in chosen else "partition",
        next=_("Choose another {word}, or another partition.").format(word=word),
    )


def _check_reservation(terms: Terms, name: str, wanted: Wanted) -> None:
    mine = terms.reservations()
    if mine is None:
        return
    listed = {each.name: each for each in mine}
    for each in name.split(","):
        _listed("reservation", each, listed, _("that you may use"))
        account = terms.account_of(wanted.account)
        if not listed[each].is_for(terms.person, account, terms.groups):
            raise ChoiceRefused(
                _("The reservation {reservation} is not for the account {account}.").format(
                    reservation=each, account=account
                ),
                field="reservation",
                next=_("Choose one of its accounts: {choices}.").format(
                    choices=" or ".join(sorted(listed[each].accounts))
                ),
            )


def _check_constraint(terms: Terms, constraint: str, wanted: Wanted) -> None:
    """Of what is read of it; counts and brackets are left to the scheduler."""
    required, there = read_constraint(constraint), terms.features(wanted.partition)
    if required is None or there is None:
        return
    for alternatives in required:
        if alternatives.isdisjoint(there):
            raise ChoiceRefused(
                _("No node of {place} has {features}.").format(
                    place=_place(terms, wanted), features=" or ".join(sorted(alternatives))
                ),
                field="constraint",
                next=_("Choose of {choices}.").format(choices=", ".join(there))
                if there
                else _("Leave it out."),
            )


def _place(terms: Terms, wanted: Wanted) -> str:
    names = (wanted.partition,) if wanted.partition else terms.profile.partition
    return (
        _("the partition {names}").format(names=" or ".join(names))
        if names
        else _("the partition that is used")
    )


def read_amounts(terms: Terms, values: Mapping[str, str | int]) -> dict[str, int | None]:
    """The amounts, within the profile's limits; where none is given the preset one. Raises ChoiceRefused."""
    return {key: _amount(key, values.get(key), getattr(terms.profile, key), terms) for key in AMOUNTS}


def _amount(key: str, given: str | int | None, limits: Range | None, terms: Terms) -> int | None:
    if limits is None:
        if given is None:
            return None
        raise ChoiceRefused(
            _("The profile {profile} does not let you choose {key}.").format(
                profile=terms.profile.name, key=key
            ),
            field=key,
            next=_("Leave it out."),
        )
    try:
        return terms.preset(key) if given is None else limits.choose(given)
    except Refused as error:
        raise ChoiceRefused(
            f"{key}: {error.what}.", field=key, next=_("Choose {choices}.").format(choices=error.allowed)
        ) from None


def check_amounts(terms: Terms, wanted: Wanted, amounts: Mapping[str, int | None]) -> None:
    """That the person may have as much. Raises ChoiceRefused."""
    for key, value in amounts.items():
        limits: Range | None = getattr(terms.profile, key)
        if value is None or limits is None:
            continue
        most = terms.most(key, wanted, nodes=amounts["nodes"] or 1, cpus=amounts["cpus"] or 1)
        if most is not None and value > most:
            raise ChoiceRefused(
                _("{key}: {amount} is more than you can have{where}.").format(
                    key=key, amount=limits.words(value), where=_where(wanted)
                ),
                field=key,
                next=_at_most(limits, most),
            )


def _where(wanted: Wanted) -> str:
    words = (
        (_("in the partition"), wanted.partition),
        (_("with the QOS"), wanted.qos),
        (_("with the account"), wanted.account),
    )
    return joined(["", *(joined([which, name]) for which, name in words if name)])


def _at_most(limits: Range, most: int) -> str:
    if most < limits.min:
        return _("Choose another profile, partition, QOS or account.")
    return _("Choose {least} to {most}.").format(least=limits.words(limits.min), most=limits.words(most))
