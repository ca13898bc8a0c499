"""Whatever comes in as a choice is either within the operator's limits or refused with a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterhub.site.schema import Site
from clusterhub.spawner.options import KEYS, Choice, ChoiceRefused, parse_choice

GIB = 2**30


def test_nothing_chosen_is_the_first_profile_with_its_defaults(site: Site) -> None:
    expected = Choice("interactive", "lab", time=4 * 3600, cpus=1, memory=4 * GIB, nodes=1)
    assert parse_choice(None, site, "bob", ()) == expected
    assert parse_choice({}, site, "bob", ()) == expected


@pytest.mark.parametrize(
    "same",
    [
        {
            "profile": "interactive",
            "cpus": 4,
            "memory": 8 * GIB,
            "time": 7200,
            "environment": "previous",
        },
        {
            "profile": "interactive",
            "cpus": "4",
            "memory": "8 GiB",
            "time": "2h",
            "environment": "previous",
        },
        {
            "profile": ["interactive"],
            "cpus": ["4"],
            "memory": ["8G"],
            "time": ["02:00:00"],
            "environment": ["previous"],
        },
    ],
    ids=["api", "link", "form"],
)
def test_form_link_and_api_say_the_same(site: Site, same: dict[str, object]) -> None:
    assert parse_choice(same, site, "bob", ()) == Choice(
        "interactive", "lab", 7200, cpus=4, memory=8 * GIB, nodes=1, environment="previous"
    )


def test_a_choice_can_be_kept_and_read_again(site: Site) -> None:
    choice = parse_choice({"profile": "gpu", "gpus": 2}, site, "alice", ["gpu-users"])
    assert parse_choice(choice.as_options(), site, "alice", ["gpu-users"]) == choice


def test_a_profile_of_others_looks_like_one_that_is_not_there(site: Site) -> None:
    with pytest.raises(ChoiceRefused) as hidden:
        parse_choice({"profile": "gpu"}, site, "bob", ())
    with pytest.raises(ChoiceRefused) as absent:
        parse_choice({"profile": "tpu"}, site, "bob", ())
    assert str(hidden.value).replace("gpu", "X") == str(absent.value).replace("tpu", "X")


@pytest.mark.parametrize(
    ("given_options", "field", "said"),
    [
        ({"cpus": 10**5000}, "cpus", "beyond all limits"),
        ({"memory": -(10**400)}, "memory", "beyond all limits"),
        ({"cpus": 9}, "cpus", "1 to 8"),
        ({"cpus": 0}, "cpus", "1 to 8"),
        ({"cpus": "-1"}, "cpus", ""),
        ({"cpus": True}, "cpus", "neither a text nor a whole number"),
        ({"cpus": 1.5}, "cpus", "neither a text nor a whole number"),
        ({"cpus": ["1", "2"]}, "cpus", "given 2 times"),
        ({"cpus": "1\n"}, "cpus", "cannot be printed"),
        ({"cpus": "1" * 500}, "cpus", "too long"),
        ({"memory": "33 GiB"}, "memory", "32 GiB"),
        ({"memory": "$(reboot)"}, "memory", ""),
        ({"time": "2d"}, "time", "1d"),
        ({"time": "2h; rm -rf ~"}, "time", ""),
        ({"gpus": 1}, "gpus", "does not let you choose"),
        ({"nodes": "4"}, "nodes", "Choose 1."),
        ({"profile": "interactive\0"}, "profile", "cannot be printed"),
        ({"profile": {"$ne": 1}}, "profile", "neither a text"),
        ({"interface": "bash"}, "interface", "lab or notebook or terminal"),
        ({"environment": "2026-05-04"}, "environment", "Choose current or previous."),
        ({"environment": "/home/bob/venv"}, "environment", "does not offer"),
        ({"environment": 7}, "environment", "does not offer"),
        ({"prologue": "true"}, "", "can be chosen"),
        ({"uid": "0"}, "", "can be chosen"),
        ({"cpu": 2}, "", "Did you mean cpus?"),
    ],
)
def test_what_is_not_on_offer_is_refused_with_a_sentence(
    site: Site, given_options: dict[str, object], field: str, said: str
) -> None:
    with pytest.raises(ChoiceRefused) as refused:
        parse_choice(given_options, site, "bob", ())
    assert refused.value.field == field
    assert said in str(refused.value)


@pytest.mark.parametrize("given_options", [[], "profile=gpu", 7, [["profile", "gpu"]]])
def test_a_choice_is_a_set_of_named_values(site: Site, given_options: object) -> None:
    with pytest.raises(ChoiceRefused):
        parse_choice(given_options, site, "bob", ())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(options=st.dictionaries(st.sampled_from(KEYS) | st.text(), json_values, max_size=5))
def test_any_json_is_either_within_the_limits_or_refused(options: dict[str, object]) -> None:
    from pathlib import Path

    from tests.unit.spawner.conftest import SITE

    from clusterhub.site.loading import parse

    site = parse(SITE, Path("site.toml"))
    try:
        choice = parse_choice(options, site, "bob", ())
    except ChoiceRefused:
        return
    assert choice.profile == "interactive"
    assert 1 <= (choice.cpus or 0) <= 8
    assert GIB <= (choice.memory or 0) <= 32 * GIB
    assert 60 <= choice.time <= 86400
    assert choice.interface in ("lab", "notebook", "terminal")
