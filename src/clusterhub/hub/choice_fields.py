"""The fields of one profile on the start page: amounts with their limits, and what there is under "More"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clusterhub.hub.relaunch import first_of
from clusterhub.languages.text import _
from clusterhub.site.ranges import Range
from clusterhub.spawner.offers import Item, Terms, Wanted, items
from clusterhub.spawner.options import MAX_LENGTH
from clusterhub.spawner.own_words import LONGEST_VARIABLES

LABELS = {
    "cpus": _("Cores"),
    "memory": _("Memory"),
    "gpus": _("GPUs"),
    "nodes": _("Nodes"),
    "time": _("Time"),
    "account": _("Account"),
    "qos": _("QOS"),
    "partition": _("Partition"),
    "reservation": _("Reservation"),
    "constraint": _("Constraint"),
    "gpu_type": _("GPU model"),
    "working_directory": _("Working directory"),
    "variables": _("Environment variables"),
    "own_path": _("Your own environment"),
    "own_module": _("Your own environment: a module"),
    "own_image": _("Your own environment: an image"),
}

HINTS = {
    "constraint": _("Features that the nodes must have: a&b for both, a|b for either."),
    "working_directory": _("An absolute path, or one that begins with ~/."),
    "own_path": _("The directory of an environment with Jupyter Server in it, made by conda or venv."),
    "own_module": _("The name of a module whose Python has Jupyter Server."),
    "own_image": _("The path of a container's image with Jupyter Server in it."),
    "variables": _("One NAME=value on each line. Not for secrets: they are kept with your choice."),
}


def amount_field(key: str, limits: Range, last: Any) -> dict[str, Any]:
    """What a template needs for an amount, filled in as last chosen."""
    value = first_of(last)
    if not isinstance(value, str):  # what a person typed is shown again even if it was refused
        known = isinstance(value, int) and limits.min <= value <= limits.max
        value = limits.words(value if known else limits.default)
    return {
        "key": key,
        "label": LABELS[key],
        "value": value[:MAX_LENGTH],
        "min": limits.words(limits.min),
        "max": limits.words(limits.max),
        "number": key in ("cpus", "gpus", "nodes"),
    }


def more_fields(terms: Terms, last: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a template needs for the rest, in the operator's order, without what leaves no choice."""
    found = (_more(terms, key, _text(last.get(key))) for key in terms.profile.choose or ())
    return [field for field in found if field is not None]


def _more(terms: Terms, key: str, value: str) -> dict[str, Any] | None:
    listed = items(terms, key)
    control = "lines" if key == "variables" else "text"
    if key in ("account", "qos") and not terms.has_accounting and not value:
        return None
    if listed is not None:
        named = [each for each in listed if each.value != _preset(terms, key)]
        if not named and not value:
            return None
        control = "suggest" if key == "constraint" else "select"
        if control == "select" and value and value not in {each.value for each in listed}:
            listed = (*listed, Item(value))  # what was refused is shown again
    return {
        "key": key,
        "label": LABELS[key],
        "control": control,
        "value": value,
        "empty": _when_empty(terms, key),
        "items": listed or (),
        "hint": HINTS.get(key, ""),
        "longest": LONGEST_VARIABLES if key == "variables" else MAX_LENGTH,
    }


def _preset(terms: Terms, key: str) -> str | None:
    """What is taken where nothing is chosen, where that is known."""
    known, plain = terms.known.associations, Wanted.by_default(terms.profile)
    if key == "account":
        return terms.account_of(plain.account)
    if key == "qos" and known is not None:
        return known.qos_of(known.association(terms.person, plain.account, plain.partition), plain.qos)
    if key in ("qos", "gpu_type"):
        found: str | None = getattr(plain, key)
        return found
    if key == "partition" and len(terms.profile.partition) == 1:
        return terms.profile.partition[0]
    if key in ("reservation", "constraint"):
        return getattr(terms.profile, key) or None
    return None


def _nothing_chosen(terms: Terms, key: str) -> str:
    if key == "working_directory":
        return terms.profile.working_directory or "~"
    if key == "partition" and terms.profile.partition:
        return _("Whichever can start first")
    return EMPTY.get(key, "")


EMPTY = {
    "account": _("Your default"),
    "qos": _("The default"),
    "partition": _("The default"),
    "reservation": _("No reservation"),
    "gpu_type": _("Any"),
}
"""What is taken where nothing is chosen, where no name for it is known."""


def _when_empty(terms: Terms, key: str) -> str:
    preset = _preset(terms, key)
    if preset is not None:
        return _("{value} (default)").format(value=preset)
    return _nothing_chosen(terms, key)


def _text(last: Any) -> str:
    """What was chosen or linked before; variables may be several, or a table."""
    if isinstance(last, Mapping):
        last = [f"{name}={value}" for name, value in last.items()]
    if isinstance(last, list) and all(isinstance(each, str) for each in last):
        last = "\n".join(last)
    return last[:LONGEST_VARIABLES] if isinstance(last, str) else ""
