"""The start page's form: the profiles that this person may use, each with what can be chosen in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from clusterhub.errors import ClusterhubError
from clusterhub.hub.choice_fields import LABELS, amount_field, more_fields
from clusterhub.hub.links import links_of
from clusterhub.hub.relaunch import first_of
from clusterhub.hub.speaking import Translated
from clusterhub.languages.text import _, joined, told
from clusterhub.privileged.broker import Account
from clusterhub.site.ranges import Range
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import ACCOUNT_AGE, Clusters
from clusterhub.spawner.environments import Offer
from clusterhub.spawner.free_now import FreeNow, free_now
from clusterhub.spawner.interfaces import titles
from clusterhub.spawner.knowledge import Known, known_of
from clusterhub.spawner.messages import as_html
from clusterhub.spawner.offers import Terms
from clusterhub.spawner.options import AMOUNTS, KEYS, ChoiceRefused, parse_choice, terms_for

if TYPE_CHECKING:
    from clusterhub.spawner.spawner import ClusterSpawner

log = logging.getLogger("clusterhub")

NOTHING = Markup()
XSRF = "_xsrf"
"""JupyterHub's own field, against forged requests."""

WITHOUT_APPS = titles({})
NO_PROFILE = _("There is no profile that you may use. Ask your operators for one.")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("clusterhub.hub"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[Translated],
    )


async def options_form(spawner: ClusterSpawner) -> str:
    """The form's HTML for the person whose server this is, or why there is none at the moment."""
    clusters = spawner.clusters
    try:
        account = await clusters.broker.account(spawner.user.name, max_age=ACCOUNT_AGE)
    except ClusterhubError as error:
        spawner.log.error("No form for %s: %s", spawner.user.name, error)
        return f'<div class="alert alert-danger" role="alert">{as_html(error.explanation)}</div>'
    mine = clusters.site.profiles_for(account.name, account.groups)
    known = await known_of(clusters, sorted({profile.cluster for profile in mine}))
    terms = terms_for(clusters.site, account.name, account.groups, known)
    if not terms:
        return f'<p class="alert alert-warning">{escape(told(NO_PROFILE))}</p>'
    linked = getattr(spawner.handler, "linked", {})
    last = linked or spawner.orm_spawner.user_options or {}
    profiles = [each.profile for each in terms]
    free = await free_now(clusters, profiles)
    return render_form(
        terms,
        last,
        {name: free_html(each) for name, each in free.items()},
        await clusters.environments.offers(profiles),
        titles_of=titles(clusters.site.apps),
        presets=await _presets(clusters, account.name),
        problem=_problem(linked, clusters.site, account, known),
    )


def _problem(linked: Mapping[str, Any], site: Site, account: Account, known: Mapping[str, Known]) -> str:
    """What of a link cannot be chosen; empty where all of it can."""
    try:
        parse_choice(linked, site, account.name, account.groups, known)
    except ChoiceRefused as error:
        parts = (_("Not all of the link can be chosen."), error.explanation.what, error.explanation.next)
        return joined(part for part in parts if part)
    return ""


async def _presets(clusters: Clusters, person: str) -> Markup:
    try:
        presets = await asyncio.to_thread(clusters.presets.of, person)
    except ClusterhubError as error:  # one chooses and starts without them
        log.error("No presets for %s: %s", person, error)
        return Markup()
    return presets_html(links_of(clusters.site, presets))


def presets_html(links: Sequence[tuple[str, str]]) -> Markup:
    """Names and queries of presets as the page lists them."""
    return Markup(_environment().get_template("presets.html").render(presets=links).strip())  # noqa: S704 - escaped by Jinja


def render_form(
    terms: Sequence[Terms],
    last: Mapping[str, Any],
    free: Mapping[str, Markup] = MappingProxyType({}),
    environments: Mapping[str, Sequence[Offer]] = MappingProxyType({}),
    *,
    titles_of: Mapping[str, str] = WITHOUT_APPS,
    presets: Markup = NOTHING,
    problem: str = "",
) -> str:
    """The form for these profiles, filled in as the person last chose, or as a link says.

    ``free`` says what each has free, ``environments`` what can be picked of those, ``titles_of`` what the
    interfaces are called, ``presets`` which choices the person keeps, ``problem`` what of a link cannot be
    chosen.
    """
    names = [each.profile.name for each in terms]
    before = first_of(last.get("profile"))
    chosen = before if before in names else names[0]
    return (
        _environment()
        .get_template("options_form.html")
        .render(
            profiles=[
                _card(
                    each,
                    last if each.profile.name == chosen else {},
                    environments.get(each.profile.name, ()),
                    titles_of,
                )
                for each in terms
            ],
            chosen=chosen,
            free=free,
            presets=presets,
            problem=told(problem),
        )
    )


def free_html(free: FreeNow) -> Markup:
    """What a card says of it."""
    return Markup(_environment().get_template("free_now.html").render(free=free).strip())  # noqa: S704 - escaped by Jinja


def _card(
    terms: Terms, last: Mapping[str, Any], environments: Sequence[Offer], titles_of: Mapping[str, str]
) -> dict[str, Any]:
    profile = terms.profile
    # Where this person may not even have the least the profile's own limits are shown: a start says why not.
    ranges: dict[str, Range | None] = {key: terms.widest(key) or getattr(profile, key) for key in AMOUNTS}
    return {
        "name": profile.name,
        "title": profile.title,
        "description": profile.description,
        "fixed": [
            f"{told(LABELS[key])}: {each.words(each.default)}"
            for key, each in ranges.items()
            if each and each.is_fixed and (key, each.default) != ("nodes", 1)
        ],
        "fields": [
            amount_field(key, each, last.get(key))
            for key, each in ranges.items()
            if each and not each.is_fixed
        ],
        "interfaces": [(name, titles_of[name]) for name in profile.interface],
        "interface": first_of(last.get("interface")),
        "environments": [(each.version, each.title) for each in environments],
        "environment": first_of(last.get("environment")),
        "more": more_fields(terms, last),
    }


def choice_from_form(form: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What was chosen, from a form that holds the fields of every profile as ``profile:key``.

    Still hostile, with whatever no form of ours has: `clusterhub.spawner.options.parse_choice` reads it.
    """
    profiles = list(form.get("profile", []))
    profile = profiles[0] if profiles else ""
    prefix = f"{profile}:"
    choice: dict[str, Any] = {"profile": profile if len(profiles) == 1 else profiles} if profile else {}
    for name, values in form.items():
        key = name.removeprefix(prefix) if profile and name.startswith(prefix) else name
        if key in KEYS and key != "profile":
            choice[key] = list(values)
        elif name not in ("profile", XSRF) and not _is_of_a_profile(name):
            choice[name] = ""  # to be refused for its name, as in a link; its value may be a whole file
    return choice


def _is_of_a_profile(name: str) -> bool:
    """True for a field of a profile that was not chosen."""
    profile, _, key = name.rpartition(":")
    return bool(profile) and key in KEYS
