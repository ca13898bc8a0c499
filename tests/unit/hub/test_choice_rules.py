"""Every rule between what is chosen, three ways: form, a link that fills the form in, and REST API agree.

The form and the link go through the page's own HTML: what is on it is read as a browser would and sent back.
With a rule taken out of `clusterhub.spawner.rules` its line here fails all three ways; with a field lost
between page and parser, its first two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.unit.spawner.knowing import ASSOCIATIONS, HOUR, KNOWN, SITE, SURVEY

from clusterhub.hub.form import choice_from_form, render_form
from clusterhub.spawner.knowledge import Known
from clusterhub.spawner.options import Choice, ChoiceRefused, parse_choice, terms_for

Given = dict[str, Any]
Clusters = Mapping[str, Known]


class Page(HTMLParser):
    """The fields of a form with what a browser would send of them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._select = self._textarea = ""
        self._first = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "input" and (given.get("type") != "radio" or "checked" in given):
            self.fields.setdefault(name, []).append(given.get("value", ""))
        elif tag == "select":
            self._select, self._first = name, True
        elif tag == "option" and self._select and (self._first or "selected" in given):
            self.fields[self._select], self._first = [given["value"]], False
        elif tag == "textarea":
            self._textarea = name
            self.fields[name] = [""]

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.fields[self._textarea][0] += data.removeprefix("\n")


def by_form(given: Given, known: Clusters) -> Choice:
    """The page as it is at first, with these fields changed by hand."""
    terms = terms_for(SITE, "alice", ("alice",), known)
    profile = given.get("profile", "open")
    page = Page(render_form(terms, {"profile": profile})).fields
    page["profile"] = [profile]
    for key, value in given.items():
        if key != "profile":
            page[f"{profile}:{key}"] = [str(value)]
    return parse_choice(choice_from_form(page), SITE, "alice", ("alice",), known)


def by_link(given: Given, known: Clusters) -> Choice:
    """A link only fills the page in; what it then holds is sent as it is."""
    terms = terms_for(SITE, "alice", ("alice",), known)
    linked = {key: [str(value)] for key, value in given.items()}
    page = Page(render_form(terms, {"profile": ["open"], **linked})).fields
    return parse_choice(choice_from_form(page), SITE, "alice", ("alice",), known)


def by_api(given: Given, known: Clusters) -> Choice:
    """The body of a request."""
    return parse_choice(json.loads(json.dumps(given)), SITE, "alice", ("alice",), known)


WAYS = (by_form, by_link, by_api)
Way = Callable[[Given, Clusters], Choice]

REFUSED: tuple[tuple[Given, str, str], ...] = (
    (
        {"account": "secret"},
        "account",
        'no account "secret" that you may charge. Choose bio or chem or physics',
    ),
    (
        {"qos": "high"},
        "qos",
        'no QOS "high" that you may use with the account physics. Choose normal or short',
    ),
    ({"qos": "long"}, "qos", "Choose normal or short."),
    ({"account": "bio", "qos": "short"}, "qos", "Choose long or normal."),
    ({"partition": "staff"}, "partition", "Choose batch or short or gpu."),
    ({"partition": "attic"}, "partition", 'no partition "attic" that you may use here'),
    (
        {"partition": "gpu"},
        "partition",
        "The partition gpu does not take your jobs with the account physics.",
    ),
    ({"partition": "gpu", "account": "chem"}, "account", "does not take your jobs with the account chem"),
    ({"partition": "short", "account": "chem"}, "account", "does not take your jobs with the account chem"),
    ({"reservation": "bobs"}, "reservation", 'no reservation "bobs" that you may use'),
    ({"reservation": "over"}, "reservation", "Choose course or bios or later."),
    ({"reservation": "repair"}, "reservation", "that you may use"),
    ({"reservation": "bios"}, "reservation", "not for the account physics. Choose one of its accounts: bio."),
    (
        {"constraint": "avx1024"},
        "constraint",
        "No node of the partition batch or short or staff or gpu has avx1024",
    ),
    ({"partition": "short", "constraint": "rack2"}, "constraint", "Choose of avx512, rack1."),
    ({"constraint": "avx512;id"}, "constraint", "is not a constraint"),
    ({"gpu_type": "a100"}, "gpu_type", "A model of GPU was chosen, and no GPU."),
    ({"gpus": 1, "gpu_type": "h200"}, "gpu_type", "Choose 1g.5gb or a100."),
    ({"time": "25h"}, "time", "1d1h is more than you can have. Choose 1min to 1d."),
    (
        {"time": "2h", "partition": "short"},
        "time",
        "more than you can have in the partition short. Choose 1min to 1h.",
    ),
    ({"partition": "short"}, "time", "4h is more than you can have in the partition short."),
    ({"time": "2h", "qos": "short"}, "time", "more than you can have with the QOS short"),
    ({"time": "5d", "account": "bio", "qos": "long"}, "time", "Choose 1min to 3d."),
    ({"cpus": 9, "partition": "short"}, "cpus", "Choose 1 to 8."),
    ({"cpus": 49, "partition": "batch"}, "cpus", "Choose 1 to 48."),
    ({"cpus": 13, "account": "bio", "qos": "long"}, "cpus", "Choose 1 to 12."),
    (
        {"nodes": 2, "cpus": 7, "account": "bio", "qos": "long", "partition": "batch"},
        "cpus",
        "Choose 1 to 6.",
    ),
    ({"nodes": 3, "partition": "batch"}, "nodes", "Choose 1 to 2."),
    ({"memory": "97 GiB", "account": "bio"}, "memory", "Choose 1 GiB to 96 GiB."),
    ({"memory": "129 GiB", "partition": "short"}, "memory", "Choose 1 GiB to 128 GiB."),
    ({"gpus": 5, "partition": "gpu", "account": "bio", "gpu_type": "a100"}, "gpus", "Choose 0 to 4."),
    ({"profile": "fixed", "account": "bio"}, "account", "does not let you choose account. Leave it out."),
    ({"profile": "fixed", "variables": "A=1"}, "variables", "does not let you choose variables"),
    ({"profile": "staff"}, "profile", 'no profile "staff" that you may use'),
    ({"working_directory": "work"}, "working_directory", 'begins neither at the root nor with "~/"'),
    ({"working_directory": "/scratch/../root"}, "working_directory", 'has ".." in it'),
    ({"working_directory": "~bob"}, "working_directory", "begins neither"),
    ({"variables": "PATH=/tmp"}, "variables", "PATH is set by the hub, the scheduler or the system"),
    ({"variables": "A=1\nLD_PRELOAD=/tmp/x.so"}, "variables", "LD_PRELOAD is set by"),
    ({"variables": "PYTHONSTARTUP=x"}, "variables", "PYTHONSTARTUP is set by"),
    ({"variables": "JUPYTER_CONFIG_DIR=x"}, "variables", "JUPYTER_CONFIG_DIR is set by"),
    ({"variables": "JUPYTERHUB_API_TOKEN=x"}, "variables", "is set by"),
    ({"variables": "SLURM_JOB_ID=1"}, "variables", "is set by"),
    ({"variables": "BASH_ENV=/tmp/x"}, "variables", "is set by"),
    ({"variables": "export A=1"}, "variables", "does not set a variable"),
    ({"variables": "A=1\nA=2"}, "variables", "A is set twice"),
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("given", "field", "said"), REFUSED, ids=[str(each[0]) for each in REFUSED])
def test_what_does_not_go_together_is_refused_whichever_way_it_comes(
    way: Way, given: Given, field: str, said: str
) -> None:
    if given.get("profile") in ("fixed", "staff") and way is by_link:
        # The page of this person has no such field or profile: what the link says of it is not on it.
        assert way(given, KNOWN).profile in ("open", "fixed")
        return
    with pytest.raises(ChoiceRefused) as refused:
        way(given, KNOWN)
    assert refused.value.field == field
    assert said in f"{refused.value.explanation.what} {refused.value.explanation.next}"


TAKEN: tuple[tuple[Given, Given], ...] = (
    ({}, {"account": None, "time": 4 * HOUR, "cpus": 2}),
    ({"account": "bio", "qos": "long", "time": "3d"}, {"account": "bio", "qos": "long", "time": 72 * HOUR}),
    ({"partition": "short", "time": "1h"}, {"partition": "short", "time": HOUR}),
    ({"qos": "short", "time": "30min"}, {"qos": "short", "time": HOUR / 2}),
    ({"account": "chem", "partition": "batch"}, {"account": "chem", "partition": "batch"}),
    ({"reservation": "course"}, {"reservation": "course"}),
    ({"reservation": "later"}, {"reservation": "later"}),
    ({"account": "bio", "reservation": "bios"}, {"reservation": "bios"}),
    ({"constraint": "rack1|rack2"}, {"constraint": "rack1|rack2"}),
    ({"constraint": "[rack1*2&rack9*1]"}, {"constraint": "[rack1*2&rack9*1]"}),
    (
        {"account": "bio", "partition": "gpu", "gpus": 2, "gpu_type": "a100"},
        {"gpus": 2, "gpu_type": "a100", "partition": "gpu"},
    ),
    ({"working_directory": "~/work"}, {"working_directory": "~/work"}),
    ({"working_directory": "//scratch//alice/"}, {"working_directory": "/scratch/alice"}),
    ({"variables": "A=1\nB = a=b"}, {"variables": "A=1\nB= a=b"}),
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("given", "expected"), TAKEN, ids=[str(each[0]) for each in TAKEN])
def test_what_goes_together_is_the_same_choice_whichever_way_it_comes(
    way: Way, given: Given, expected: Given
) -> None:
    choice = way(given, KNOWN)
    assert {key: getattr(choice, key) for key in expected} == expected
    assert parse_choice(choice.as_options(), SITE, "alice", ("alice",), KNOWN) == choice


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "known",
    [{}, {"main": Known(SURVEY, None)}, {"main": Known(None, ASSOCIATIONS)}],
    ids=["nothing", "no accounting", "no survey"],
)
def test_what_nobody_can_tell_is_left_to_the_scheduler(way: Way, known: Clusters) -> None:
    if not known or known["main"].associations is None:
        assert way({"account": "secret", "qos": "high", "memory": "100 GiB"}, known).account == "secret"
    if not known or known["main"].survey is None:
        assert way({"partition": "staff", "time": "1d"}, known).partition == "staff"
        assert way({"reservation": "bobs", "constraint": "avx1024"}, known).reservation == "bobs"


def test_variables_may_be_a_table_or_several() -> None:
    for given in ({"A": "1", "B": "2"}, ["A=1", "B=2"], "A=1\nB=2", ["A=1\r\nB=2"]):
        assert parse_choice({"variables": given}, SITE, "alice", ()).variables == "A=1\nB=2"
    for hostile in ({"A": "1\nPATH=/tmp"}, ["A=1\nB=2", "C=3"], {"A": 1}, {"A": {"B": "C"}}):
        with pytest.raises(ChoiceRefused):
            parse_choice({"variables": hostile}, SITE, "alice", ())
