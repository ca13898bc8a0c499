"""A start with the same choice as before, as the fields of a form that a person sends with one click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clusterhub.site.schema import Site
from clusterhub.spawner.options import AMOUNTS, KEYS, MAX_LENGTH
from clusterhub.spawner.own_words import LONGEST_VARIABLES


def hidden_fields(site: Site, user: Any, server: str) -> list[tuple[str, str]]:
    """Names and values of the start page's form for what was last chosen for a JupyterHub user's server.

    Empty where nothing was chosen yet, or where the profile is not there any more: then there is nothing to
    start again. Whether the person may still choose this is asked when the form is sent.
    """
    found = user.orm_user.orm_spawners.get(server)
    return fields_of(site, (found.user_options if found is not None else None) or {})


def fields_of(site: Site, last: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same for what was last chosen: as `Choice.as_options` has it, or as it was sent."""
    given = {key: first_of(value) for key, value in last.items() if key in KEYS}
    profile = site.find_profile(given.get("profile"))
    if profile is None:
        return []
    fields = [("profile", profile.name)]
    for key in KEYS[1:]:
        value = given.get(key)
        limits = getattr(profile, key) if key in AMOUNTS else None
        if isinstance(value, int) and limits is not None:
            value = limits.words(value)
        longest = LONGEST_VARIABLES if key == "variables" else MAX_LENGTH
        if isinstance(value, str) and len(value) <= longest and (limits is not None or key not in AMOUNTS):
            fields.append((f"{profile.name}:{key}", value))
    return fields


def first_of(value: Any) -> Any:
    """The value itself, or the first of a list, as forms and links have it."""
    return value[0] if isinstance(value, list) and value else value
