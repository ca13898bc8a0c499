"""What clusterhub puts beside the operator's own settings of JupyterHub, rather than in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

_NOTHING = object()


def add_to_list(config: Config, section: str, name: str, ours: Sequence[Any]) -> None:
    """Puts ours after what a drop-in set, or appended to what it could not see (``c.X.name.append``)."""
    config[section][name] = [*said_of(config, section, name, []), *ours]


def add_to_table(config: Config, section: str, name: str, ours: Mapping[str, Any]) -> None:
    """Puts ours beside what a drop-in set or updated; ours wins where both have a key."""
    config[section][name] = {**said_of(config, section, name, {}), **ours}


def add_to_table_unless_said(config: Config, section: str, name: str, ours: Mapping[str, Any]) -> None:
    """Puts ours beside what a drop-in set or updated; the drop-in's wins where both have a key."""
    config[section][name] = {**ours, **said_of(config, section, name, {})}


def set_unless_said(config: Config, section: str, name: str, ours: Any, *, also: str = "") -> None:
    """Sets ours where no drop-in did; ``also`` is a more general section where it may have done so."""
    said = [config[each].get(name, _NOTHING) for each in (section, also) if each]
    # A value that was only looked at is there too, as one of traitlets' own.
    if all(value is _NOTHING or isinstance(value, LazyConfigValue) for value in said):
        config[section][name] = ours


def said_of(config: Config, section: str, name: str, nothing: Any) -> Any:
    """What a drop-in set, appended or updated; ``nothing`` where that is nothing."""
    said = config[section].get(name, nothing)
    # traitlets keeps calls of append and update for later, until it knows what there is to change.
    return said.get_value(nothing) if isinstance(said, LazyConfigValue) else said
