"""What a person sees of a profile: the lists and limits that are theirs, and no field that leaves no choice.

With `Terms.widest` or `choice_fields._more` showing what the profile says to everybody, these fail.
"""

from __future__ import annotations

from typing import Any

from tests.unit.spawner.knowing import ASSOCIATIONS, KNOWN, SITE, SURVEY

from clusterhub.hub.choice_fields import more_fields
from clusterhub.hub.form import render_form
from clusterhub.schedulers.associations import Associations
from clusterhub.spawner.knowledge import Known
from clusterhub.spawner.offers import Terms
from clusterhub.spawner.options import terms_for


def terms_of(person: str, known: Known | None = None, profile: str = "open", *groups: str) -> Terms:
    clusters = KNOWN if known is None else {"main": known}
    return next(each for each in terms_for(SITE, person, groups, clusters) if each.profile.name == profile)


def listed(terms: Terms) -> dict[str, list[str]]:
    fields: list[dict[str, Any]] = more_fields(terms, {})
    return {field["key"]: [item.value for item in field["items"]] for field in fields}


def test_a_person_is_offered_what_is_theirs() -> None:
    assert listed(terms_of("alice")) == {
        "account": ["bio", "chem", "physics"],
        "qos": ["long", "normal", "short"],
        "partition": ["batch", "short", "gpu"],
        "reservation": ["course", "bios"],
        "constraint": ["avx512", "rack1", "rack2"],
        "gpu_type": ["1g.5gb", "a100"],
        "working_directory": [],
        "variables": [],
    }


def test_what_leaves_no_choice_is_not_asked() -> None:
    fields = listed(terms_of("bob", None, "open", "staff"))
    assert "account" not in fields, "bob has only one"
    assert fields["partition"] == ["batch", "short", "staff"]
    assert fields["reservation"] == ["bobs"]
    assert listed(terms_of("alice", profile="fixed")) == {}


def test_without_accounting_there_are_no_accounts_to_ask_for() -> None:
    assert not {"account", "qos"} & set(listed(terms_of("alice", Known(SURVEY, Associations()))))


def test_what_nobody_can_tell_is_typed() -> None:
    fields = {field["key"]: field["control"] for field in more_fields(terms_of("alice", Known()), {})}
    assert {key: fields[key] for key in ("account", "qos", "reservation", "constraint")} == dict.fromkeys(
        ("account", "qos", "reservation", "constraint"), "text"
    )


def test_amounts_are_narrowed_to_what_this_person_may_have_somewhere() -> None:
    terms = terms_of("alice")
    found = {key: terms.widest(key) for key in ("cpus", "memory", "time", "nodes")}
    assert {key: (each.max, each.words(each.max)) for key, each in found.items() if each} == {
        "cpus": (64, "64"),
        "memory": (128 * 2**30, "128 GiB"),
        "time": (7 * 86400, "7d"),
        "nodes": (2, "2"),
    }
    short = terms_of("alice", Known(SURVEY, ASSOCIATIONS), "fixed")
    assert short.preset("time") == 3600


def test_a_profile_whose_partitions_are_closed_to_somebody_is_not_on_their_page() -> None:
    def on_page(person: str, *groups: str) -> bool:
        return 'value="staff"' in render_form(terms_for(SITE, person, groups, KNOWN), {})

    assert not on_page("alice")
    assert on_page("alice", "staff")


def test_a_choice_that_was_made_opens_what_is_folded_away() -> None:
    terms = terms_for(SITE, "alice", (), KNOWN)
    assert '<details class="ch-more" >' in render_form(terms, {})
    page = render_form(terms, {"profile": "open", "qos": "short", "variables": {"A": "<b>"}})
    assert '<details class="ch-more" open>' in page
    assert '<option value="short" selected>short, at most 1h</option>' in page
    assert "A=&lt;b&gt;</textarea>" in page
