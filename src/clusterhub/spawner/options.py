"""A person's choice: the one parser for the form, a link and the REST API. Whatever comes in is hostile."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from clusterhub.languages.text import _
from clusterhub.site.profile import CHOOSABLE
from clusterhub.site.quantities import quoted
from clusterhub.site.schema import Site
from clusterhub.spawner.knowledge import NOTHING, NOWHERE, Known
from clusterhub.spawner.offers import Terms
from clusterhub.spawner.own_words import LONGEST_VARIABLES, MOST_VARIABLES
from clusterhub.spawner.rules import (
    AMOUNTS,
    ChoiceRefused,
    check_amounts,
    check_further,
    read_amounts,
    read_further,
)

__all__ = ["AMOUNTS", "KEYS", "MAX_LENGTH", "Choice", "ChoiceRefused", "parse_choice", "terms_for"]

KEYS = ("profile", *AMOUNTS, "interface", "environment", *CHOOSABLE)
"""Everything that a person can choose."""

MAX_LENGTH = 200
"""Characters in the longest value that is looked at, but for variables."""

MAX_NUMBER = 2**63
"""Beyond any amount. A refusal could not even say a number of thousands of digits: Python stops at 4,300."""


@dataclass(frozen=True)
class Choice:
    """What a person picked, within the limits of the profile. None: the profile does not speak of it."""

    profile: str
    interface: str
    time: int
    """Seconds."""
    cpus: int | None = None
    memory: int | None = None
    """Bytes, per node or per CPU as the profile says."""
    gpus: int | None = None
    nodes: int | None = None
    environment: str | None = None
    """As site.toml names it. None: what the profile presets."""
    account: str | None = None
    qos: str | None = None
    partition: str | None = None
    """One; None for those of the profile."""
    reservation: str | None = None
    constraint: str | None = None
    gpu_type: str | None = None
    working_directory: str | None = None
    """An absolute path, or one that begins with ``~``."""
    variables: str | None = None
    """As `clusterhub.spawner.own_words.read_variables` reads them."""
    own_path: str | None = None
    own_module: str | None = None
    own_image: str | None = None
    """See `clusterhub.spawner.own_environment`."""

    def as_options(self) -> dict[str, str | int]:
        """The choice in the form that `parse_choice` reads, to be kept and offered again."""
        return {key: value for key in KEYS if (value := getattr(self, key)) is not None}


def parse_choice(
    given: object,
    site: Site,
    person: str,
    groups: Iterable[str],
    known: Mapping[str, Known] = NOWHERE,
) -> Choice:
    """Reads what a form, a link or an API client sent.

    Values may be texts, whole numbers (amounts in bytes and seconds), or lists of one such, as forms and
    links have them; variables may also be a table, or several lines. Nothing given is the first profile with
    its defaults. ``known`` is what each cluster says; what it does not say is left to the scheduler. Raises
    ChoiceRefused.
    """
    values = _values(given)
    terms = _terms(values.get("profile"), terms_for(site, person, groups, known))
    profile = terms.profile
    interface = values.get("interface", profile.interface[0])
    if interface not in profile.interface:
        raise ChoiceRefused(
            _("The profile {profile} does not offer the interface {interface}.").format(
                profile=profile.name, interface=quoted(str(interface))
            ),
            field="interface",
            next=_("Choose {choices}.").format(choices=" or ".join(profile.interface)),
        )
    environments = site.environments_of(profile)
    environment = values.get("environment")
    if environment is not None and environment not in environments:
        raise ChoiceRefused(
            _("The profile {profile} does not offer the environment {environment}.").format(
                profile=profile.name, environment=quoted(str(environment))
            ),
            field="environment",
            next=_("Choose {choices}.").format(choices=" or ".join(environments)),
        )
    amounts = read_amounts(terms, values)
    further = read_further(terms, values)
    wanted = check_further(terms, further, amounts["gpus"])
    check_amounts(terms, wanted, amounts)
    return Choice(
        profile=profile.name,
        interface=str(interface),
        time=cast("int", amounts["time"]),
        cpus=amounts["cpus"],
        memory=amounts["memory"],
        gpus=amounts["gpus"],
        nodes=amounts["nodes"],
        environment=None if environment is None else str(environment),
        **further,
    )


def terms_for(
    site: Site, person: str, groups: Iterable[str], known: Mapping[str, Known] = NOWHERE
) -> tuple[Terms, ...]:
    """The profiles that this person may use, as each is for them."""
    own = frozenset(groups)
    offered = (
        Terms(profile, person, own, known.get(profile.cluster, NOTHING))
        for profile in site.profiles_for(person, own)
    )
    return tuple(terms for terms in offered if terms.is_for_person)


def _values(given: object) -> dict[str, str | int]:
    """One text or whole number for each key; what is empty counts as not given."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ChoiceRefused(_("A choice is a set of named values."))
    values: dict[str, str | int] = {}
    for key, listed in given.items():
        value = _lines(listed) if key == "variables" else listed
        if key not in KEYS:
            raise ChoiceRefused(
                _("{key} is not something that can be chosen.").format(key=quoted(str(key)[:40])),
                next=_nearest(key),
            )
        if isinstance(value, list):
            if len(value) > 1:
                raise ChoiceRefused(
                    _("{key} was given {number} times.").format(key=key, number=len(value)),
                    field=key,
                    next=_("Give it once."),
                )
            value = value[0] if value else ""
        _check(key, value)
        if isinstance(value, str | int) and value != "":
            values[key] = value
    return values


def _check(key: str, value: object) -> None:
    """A text that can be shown, a whole number that can be said, or nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise ChoiceRefused(_("{key} is neither a text nor a whole number.").format(key=key), field=key)
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ChoiceRefused(_("{key} is a number beyond all limits.").format(key=key), field=key)
    longest, text = MAX_LENGTH, value
    if key == "variables" and isinstance(value, str):
        longest, text = LONGEST_VARIABLES, "".join(value.splitlines())  # each of which is looked at by itself
    if isinstance(value, str) and (len(value) > longest or not str(text).isprintable()):
        raise ChoiceRefused(
            _("{key} is too long, or has characters that cannot be printed.").format(key=key), field=key
        )


def _lines(given: object) -> object:
    """Variables as lines, of a table, or of several values of a link or form."""
    if isinstance(given, Mapping):
        pairs = list(given.items())
        if len(pairs) > MOST_VARIABLES or not all(isinstance(each, str) for pair in pairs for each in pair):
            raise ChoiceRefused(
                _("variables are at most {most} names, each with a text.").format(most=MOST_VARIABLES),
                field="variables",
            )
        given = [f"{name}={value}" for name, value in pairs]
        one_line_each = True
    else:
        one_line_each = isinstance(given, list) and len(given) > 1
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        return given
    if one_line_each and any(len(each.splitlines()) > 1 for each in given):
        raise ChoiceRefused(
            _("A variable has more than one line."), field="variables", next=_("Give one line each.")
        )
    return "\n".join(given)


def _nearest(key: object) -> str:
    near = difflib.get_close_matches(str(key)[:40].lower(), KEYS, n=1)
    return (
        _("Did you mean {name}?").format(name=near[0])
        if near
        else _("What can be chosen: {keys}.").format(keys=", ".join(KEYS))
    )


def _terms(name: object, offered: tuple[Terms, ...]) -> Terms:
    if not offered:
        raise ChoiceRefused(
            _("There is no profile that you may use."), next=_("Ask your operators to let you use one.")
        )
    if name is None:
        return offered[0]
    for terms in offered:
        if terms.profile.name == name:
            return terms
    # The same words for a profile that is not there and for one that is not for this person.
    raise ChoiceRefused(
        _("There is no profile {name} that you may use.").format(name=quoted(str(name))),
        field="profile",
        next=_("Choose {choices}.").format(choices=" or ".join(terms.profile.name for terms in offered)),
    )
