"""The start page's form shows what may be chosen, and what was chosen before."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.spawner.conftest import SITE

from clusterhub.hub.form import choice_from_form, options_form, render_form
from clusterhub.privileged.broker import BrokerError
from clusterhub.site.loading import parse
from clusterhub.spawner.environments import Offer
from clusterhub.spawner.options import ChoiceRefused, parse_choice, terms_for

SITE_READ = parse(SITE, Path("site.toml"))
EVERYTHING = terms_for(SITE_READ, "alice", ("gpu-users",))


def test_each_profile_shows_its_limits_and_defaults() -> None:
    html = render_form(EVERYTHING, {})
    assert 'name="interactive:memory" value="4 GiB"' in html
    assert "1 GiB to 32 GiB" in html
    assert 'name="gpu:gpus" value="1"' in html
    assert "Time: 2h" in html  # fixed: said, not asked
    assert 'value="interactive" checked' in html


def test_the_last_choice_is_filled_in_also_one_that_was_refused() -> None:
    html = render_form(EVERYTHING, {"profile": "gpu", "gpus": 2})
    assert 'value="gpu" checked' in html
    assert 'name="gpu:gpus" value="2"' in html
    html = render_form(EVERYTHING, {"profile": ["interactive"], "memory": ['99 GiB"><script>']})
    assert "99 GiB&#34;&gt;&lt;script&gt;" in html
    assert "<script>" not in html


def test_an_environment_is_asked_for_only_where_there_is_more_than_one() -> None:
    offers = {
        "interactive": [Offer("current", "2026-11-23 (current)"), Offer("previous", "<b>old</b> (previous)")],
        "gpu": [Offer("current", "2026-11-23 (current)")],
    }
    html = render_form(EVERYTHING, {"environment": "previous"}, environments=offers)
    assert '<option value="previous" selected>&lt;b&gt;old&lt;/b&gt; (previous)</option>' in html
    assert 'name="interactive:environment"' in html
    assert 'name="gpu:environment"' not in html


def test_what_a_link_says_is_filled_in() -> None:
    """It starts nothing: tests/abuse/test_browser.py."""
    html = render_form(EVERYTHING, {"profile": ["gpu"], "gpus": ["2"]})
    assert 'value="gpu" checked' in html
    assert 'name="gpu:gpus" value="2"' in html


def test_what_the_form_sends_is_the_choice_of_the_chosen_profile_only() -> None:
    form = {
        "profile": ["interactive"],
        "interactive:cpus": ["2"],
        "interactive:memory": ["8 GiB"],
        "gpu:gpus": ["2"],
        "_xsrf": ["token"],
    }
    assert choice_from_form(form) == {"profile": "interactive", "cpus": ["2"], "memory": ["8 GiB"]}
    assert parse_choice(choice_from_form(form), SITE_READ, "bob", ()).cpus == 2
    assert choice_from_form({}) == {}


@pytest.mark.parametrize(
    "more",
    [
        {"uid": ["0"]},
        {"interactive:uid": ["0"]},
        {"profile": ["interactive", "gpu"]},
        {"cpus_file": [{"filename": "x", "body": b"x"}]},
        {":cpus": ["1"]},
    ],
)
def test_what_no_form_of_ours_has_is_refused_as_in_a_link(more: dict[str, list[Any]]) -> None:
    with pytest.raises(ChoiceRefused):
        parse_choice(choice_from_form({"profile": ["interactive"], **more}), SITE_READ, "bob", ())


async def test_without_an_answer_of_the_helper_the_page_says_so() -> None:
    async def account(_name: str, **_more: object) -> Any:
        raise BrokerError("The helper <did> not answer.", next="Look at sudo's log.")

    spawner = SimpleNamespace(
        clusters=SimpleNamespace(broker=SimpleNamespace(account=account)),
        user=SimpleNamespace(name="alice"),
        log=logging.getLogger("test"),
    )
    html = await options_form(cast("Any", spawner))
    assert 'role="alert"' in html
    assert "The helper &lt;did&gt; not answer." in html
    assert "Look at sudo&#x27;s log." in html
