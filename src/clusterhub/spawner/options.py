"""A person's choice: the one parser for the form, a link and the REST API. Whatever comes in is hostile."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from clusterhub.errors import ClusterhubError
from clusterhub.site.quantities import Refused, quoted
from clusterhub.site.ranges import Range
from clusterhub.site.schema import Profile, Site

AMOUNTS = ("cpus", "memory", "gpus", "nodes", "time")
"""What can be chosen as an amount, named as in site.toml's profiles."""

KEYS = ("profile", *AMOUNTS, "interface", "environment")
"""Everything that a person can choose."""

MAX_LENGTH = 200
"""Characters in the longest value that is looked at."""

MAX_NUMBER = 2**63
"""Beyond any amount. A refusal could not even say a number of thousands of digits: Python stops at 4,300."""


class ChoiceRefused(ClusterhubError):
    """What was chosen is not on offer. ``field`` is one of `KEYS`, or empty."""

    def __init__(self, what: str, *, field: str = "", next: str = "") -> None:  # noqa: A002 - as in its base
        super().__init__(what, where=f"the choice of {field}" if field else "", next=next)
        self.field = field


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

    def as_options(self) -> dict[str, str | int]:
        """The choice in the form that `parse_choice` reads, to be kept and offered again."""
        return {key: value for key in KEYS if (value := getattr(self, key)) is not None}


def parse_choice(given: object, site: Site, person: str, groups: Iterable[str]) -> Choice:
    """Reads what a form, a link or an API client sent.

    Values may be texts, whole numbers (amounts in bytes and seconds), or lists of one such, as forms and
    links have them. Nothing given is the first profile with its defaults. Raises ChoiceRefused.
    """
    values = _values(given)
    profile = _profile(values.get("profile"), site.profiles_for(person, tuple(groups)))
    amounts = {key: _amount(key, values.get(key), getattr(profile, key), profile) for key in AMOUNTS}
    interface = values.get("interface", profile.interface[0])
    if interface not in profile.interface:
        raise ChoiceRefused(
            f"The profile {profile.name} does not offer the interface {quoted(str(interface))}.",
            field="interface",
            next=f"Choose {' or '.join(profile.interface)}.",
        )
    environments = site.environments_of(profile)
    environment = values.get("environment")
    if environment is not None and environment not in environments:
        raise ChoiceRefused(
            f"The profile {profile.name} does not offer the environment {quoted(str(environment))}.",
            field="environment",
            next=f"Choose {' or '.join(environments)}.",
        )
    return Choice(
        profile=profile.name,
        interface=str(interface),
        time=cast("int", amounts["time"]),
        cpus=amounts["cpus"],
        memory=amounts["memory"],
        gpus=amounts["gpus"],
        nodes=amounts["nodes"],
        environment=None if environment is None else str(environment),
    )


def _values(given: object) -> dict[str, str | int]:
    """One text or whole number for each key; what is empty counts as not given."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ChoiceRefused("A choice is a set of named values.")
    values: dict[str, str | int] = {}
    for key, listed in given.items():
        value = listed
        if key not in KEYS:
            raise ChoiceRefused(
                f"{quoted(str(key)[:40])} is not something that can be chosen.", next=_nearest(key)
            )
        if isinstance(value, list):
            if len(value) > 1:
                raise ChoiceRefused(f"{key} was given {len(value)} times.", field=key, next="Give it once.")
            value = value[0] if value else ""
        _check(key, value)
        if isinstance(value, str | int) and value != "":
            values[key] = value
    return values


def _check(key: str, value: object) -> None:
    """A text that can be shown, a whole number that can be said, or nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise ChoiceRefused(f"{key} is neither a text nor a whole number.", field=key)
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ChoiceRefused(f"{key} is a number beyond all limits.", field=key)
    if isinstance(value, str) and (len(value) > MAX_LENGTH or not value.isprintable()):
        raise ChoiceRefused(f"{key} is too long, or has characters that cannot be printed.", field=key)


def _nearest(key: object) -> str:
    near = difflib.get_close_matches(str(key)[:40].lower(), KEYS, n=1)
    return f"Did you mean {near[0]}?" if near else f"What can be chosen: {', '.join(KEYS)}."


def _profile(name: object, profiles: tuple[Profile, ...]) -> Profile:
    if not profiles:
        raise ChoiceRefused(
            "There is no profile that you may use.", next="Ask your operators to let you use one."
        )
    if name is None:
        return profiles[0]
    for profile in profiles:
        if profile.name == name:
            return profile
    # The same words for a profile that is not there and for one that is not for this person.
    raise ChoiceRefused(
        f"There is no profile {quoted(str(name))} that you may use.",
        field="profile",
        next=f"Choose {' or '.join(profile.name for profile in profiles)}.",
    )


def _amount(key: str, given: str | int | None, limits: Range | None, profile: Profile) -> int | None:
    if limits is None:
        if given is None:
            return None
        raise ChoiceRefused(
            f"The profile {profile.name} does not let you choose {key}.", field=key, next="Leave it out."
        )
    try:
        return limits.choose(given)
    except Refused as error:
        raise ChoiceRefused(f"{key}: {error.what}.", field=key, next=f"Choose {error.allowed}.") from None
