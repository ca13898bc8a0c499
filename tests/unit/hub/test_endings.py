"""Endings are told to those who may see the server, and to root at the terminal."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.scopes import parse_scopes
from tests.unit.site.examples import small_site
from tornado.web import HTTPError

from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.hub.endings import EndingHandler, why
from clusterhub.schedulers.model import Outcome
from clusterhub.site.loading import parse
from clusterhub.site.schema import Site
from clusterhub.spawner.clusters import SETTING
from clusterhub.spawner.ending_store import FILE, Ending, EndingStore
from clusterhub.spawner.tags import Tag

ENDING = Ending(
    Explanation("It ended.", "job 17 on n1", "Start it again.", ("one line",)),
    profile="small",
    ended_at=time.time(),
    job="17",
    outcome=Outcome.TIME_LIMIT,
    exit_code=0,
    signal=15,
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    text = small_site(hub=f'id = "hub"\nstate_directory = "{tmp_path}/state"')
    (tmp_path / "state").mkdir()
    return parse(text, tmp_path / "site.toml")


def keep(site: Site, server: str = "", ending: Ending = ENDING) -> None:
    store = EndingStore(site.hub.state_directory / FILE)
    store.keep({str(Tag("hub", "alice", server)): ending})
    store.close()


def ask(store: EndingStore, scopes: list[str], *path: str) -> Any:
    """What the handler answers to somebody with these scopes."""
    answers: list[str] = []
    handler = SimpleNamespace(
        current_user=object(),
        expanded_scopes=set(scopes),
        parsed_scopes=parse_scopes(scopes),
        db=None,
        request=SimpleNamespace(path="/hub/api/clusterhub/endings"),
        settings={
            SETTING: SimpleNamespace(
                tag=lambda person, server: Tag("hub", person, server),
                endings=SimpleNamespace(last=lambda tag: store.last(str(tag))),
            )
        },
        log=SimpleNamespace(error=lambda *_: None),
        set_header=lambda *_: None,
        write=answers.append,
    )
    EndingHandler.get(handler, *path)
    return json.loads(answers[0])


@pytest.mark.parametrize(
    "scopes",
    [
        ["read:servers!user=alice"],
        ["read:servers"],
        ["read:servers!server=alice/", "read:servers!server=alice/x"],
    ],
)
def test_an_ending_is_told_to_the_person_and_to_admins(site: Site, scopes: list[str]) -> None:
    keep(site)
    keep(site, "x")
    store = EndingStore(site.hub.state_directory / FILE)
    assert ask(store, scopes, "alice") == ask(store, scopes, "alice", "x") == ENDING.as_json()
    with pytest.raises(HTTPError) as refusal:
        ask(store, ["read:servers"], "bob")
    assert refusal.value.status_code == 404
    assert "No session of bob" in str(refusal.value.log_message)
    store.close()


@pytest.mark.parametrize(
    ("scopes", "status"), [(["read:servers!user=bob"], 404), (["users:activity!user=alice"], 403), ([], 403)]
)
def test_an_ending_is_told_to_nobody_else(site: Site, scopes: list[str], status: int) -> None:
    keep(site)
    store = EndingStore(site.hub.state_directory / FILE)
    with pytest.raises(HTTPError) as refusal:
        ask(store, scopes, "alice")
    assert refusal.value.status_code == status
    assert "No session of" not in str(refusal.value.log_message)


def test_a_store_that_cannot_be_read_is_no_ending_that_is_not_there(site: Site) -> None:
    (site.hub.state_directory / FILE).write_text("no database" * 200)
    with pytest.raises(HTTPError) as refusal:
        ask(EndingStore(site.hub.state_directory / FILE), ["read:servers"], "alice")
    assert refusal.value.status_code == 503


def test_why_says_what_the_page_said(site: Site) -> None:
    keep(site, "x")
    lines = why(site, "alice/x").splitlines()
    assert lines[:3] == ["It ended.", "  where: job 17 on n1", "  what to do: Start it again."]
    assert lines[-1].startswith("  ended: 2")
    assert lines[-1].endswith("time limit, exit code 0, signal 15")
    with pytest.raises(ClusterhubError, match="the default server, is known to have ended"):
        why(site, "alice")


def test_why_names_a_state_directory_that_is_missing_or_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("os.access", lambda *_: False)  # as it is for whoever is neither root nor the hub
        with pytest.raises(ClusterhubError, match="cannot be read by this account") as refusal:
            why(site, "alice")
        assert "root" in refusal.value.explanation.next
    site.hub.state_directory.rmdir()
    with pytest.raises(ClusterhubError, match="is not there"):
        why(site, "alice")
