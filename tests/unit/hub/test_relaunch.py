"""A start with the same choice is the form that the person sent before, if that is still on offer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.site.examples import small_site

from clusterhub.hub.form import choice_from_form
from clusterhub.hub.relaunch import fields_of, hidden_fields
from clusterhub.site.loading import parse
from clusterhub.site.schema import Site
from clusterhub.spawner.options import parse_choice


@pytest.fixture
def site() -> Site:
    limits = """\
cpus = { default = 1, max = 4 }
memory = { default = "1 GiB", max = "3 GiB" }
time = { default = "1h", max = "8h" }
interface = ["lab", "notebook"]
"""
    return parse(small_site(profile=limits), Path("/etc/clusterhub/site.toml"))


def test_the_same_choice_comes_back_from_the_form(site: Site) -> None:
    sent = {"profile": "small", "cpus": "3", "memory": "1536 MiB", "time": "90min", "interface": "notebook"}
    choice = parse_choice(sent, site, "alice", ())
    fields = fields_of(site, choice.as_options())
    assert fields[0] == ("profile", "small")
    form = {name: [value] for name, value in fields}
    assert parse_choice(choice_from_form(form), site, "alice", ()) == choice


def test_a_choice_as_it_was_sent_comes_back_too(site: Site) -> None:
    sent = {"profile": "small", "cpus": ["2"], "time": ["2h"]}
    assert fields_of(site, sent) == [("profile", "small"), ("small:cpus", "2"), ("small:time", "2h")]


@pytest.mark.parametrize("last", [{}, {"profile": "gone", "cpus": 1}, {"cpus": 2}, {"profile": ["gone"]}])
def test_what_is_not_on_offer_is_not_started_again(site: Site, last: dict[str, Any]) -> None:
    assert fields_of(site, last) == []


def test_amounts_that_the_profile_lost_are_left_out(site: Site) -> None:
    assert fields_of(site, {"profile": "small", "gpus": 2, "strange": "x"}) == [("profile", "small")]


def test_each_server_has_its_own_choice(site: Site) -> None:
    servers = {
        "": SimpleNamespace(user_options=None),
        "x": SimpleNamespace(user_options={"profile": "small"}),
    }
    user = SimpleNamespace(orm_user=SimpleNamespace(orm_spawners=servers))
    assert hidden_fields(site, user, "") == hidden_fields(site, user, "never") == []
    assert hidden_fields(site, user, "x") == [("profile", "small")]
