"""A start with the same choice as before, or with one change that mends what went wrong.

Each is the fields of a form, which a person sends with one click.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from clusterhub.errors import ClusterhubError
from clusterhub.languages.text import Text
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import ACCOUNT_AGE, Clusters
from clusterhub.spawner.knowledge import NOWHERE, Known, known_of
from clusterhub.spawner.mending import Remedy, mend
from clusterhub.spawner.options import AMOUNTS, KEYS, MAX_LENGTH, Choice, ChoiceRefused, parse_choice
from clusterhub.spawner.own_words import LONGEST_VARIABLES

log = logging.getLogger("clusterhub")


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


@dataclass(frozen=True)
class Offer:
    """A start that may do better than the last one."""

    sentence: Text
    """What its button says."""
    fields: list[tuple[str, str]]


async def offer(clusters: Clusters, user: Any, server: str) -> Offer | None:
    """What would mend the last ending of a JupyterHub user's server; None where that is not in the choice.

    The choice is read by the one parser, for this person, now and again when the form is sent.
    """
    ending = clusters.endings.on_page(user.name, server)
    found = user.orm_user.orm_spawners.get(server)
    last = (found.user_options if found is not None else None) or {}
    if ending is None or not ending.remedy or first_of(last.get("profile")) != ending.profile:
        return None
    try:
        remedy = Remedy(ending.remedy)
        account = await clusters.broker.account(user.name, max_age=ACCOUNT_AGE)
    except (ClusterhubError, ValueError) as error:  # the latter: written by another version
        log.info("What mends the ending of %s's server %r is not known: %s", user.name, server, error)
        return None
    site = clusters.site
    profiles = site.profiles_for(account.name, account.groups)

    def parsed(options: Mapping[str, Any], known: Mapping[str, Known]) -> Choice | None:
        try:
            return parse_choice(dict(options), site, account.name, account.groups, known)
        except ChoiceRefused:
            return None

    # What was chosen may be what the cluster does not take any more: that is no reason to offer nothing.
    before = parsed(last, NOWHERE)
    if before is None:
        return None
    known = await known_of(clusters, sorted({profile.cluster for profile in profiles}))
    better = mend(remedy, before, profiles, lambda options: parsed(options, known))
    if better is None:
        return None
    return Offer(better.sentence, fields_of(site, better.choice.as_options()))


def server_of(url: str) -> str:
    """The server's name in the address of a start page: ``/hub/spawn/alice/NAME``."""
    return unquote("".join(urlsplit(url).path.partition("/spawn/")[2].split("/")[1:2]))


def first_of(value: Any) -> Any:
    """The value itself, or the first of a list, as forms and links have it."""
    return value[0] if isinstance(value, list) and value else value
