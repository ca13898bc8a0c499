"""The operators' table: sorted, filtered, for operators only, and made once for all who look at it.

Without FRESH each operator's page would read all sessions every five seconds; without the second
`needs_scope` whoever has the admin page for a group would see everybody.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.scopes import parse_scopes
from tests.unit.site.examples import small_site
from tornado.web import HTTPError

from clusterhub.hub import overview
from clusterhub.hub.home import Bar, Card
from clusterhub.hub.overview import FRESH, Overview, Row, last_activities, showing, sorted_by
from clusterhub.hub.overview_page import OVERVIEW, MessageHandler, SessionsHandler, SessionsPage
from clusterhub.site.loading import parse

CARD = Card("", "", "running", "", profile="Small", cluster="main", partition="gpu", nodes=("n1",), job="17")


def row(person: str, idle: float | None = 0.0, **changes: Any) -> Row:
    return Row(person, replace(CARD, **changes), None if idle is None else 1000.0 - idle, 1000.0)


ROWS = [
    row("bob", 60.0, memory=Bar(5.0, 10.0, "5 B of 10 B"), nodes=("n2",)),
    row("alice", None, state="queued", nodes=(), started_at=None),
    row("alice", 7200.0, server="x", title="Analysis", memory=Bar(50.0, None, "50 B"), started_at=900.0),
]


def people(rows: list[Row]) -> list[str]:
    return [f"{each.person}/{each.card.server}" for each in rows]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("person", ["alice/", "alice/x", "bob/"]),
        ("-person", ["bob/", "alice/x", "alice/"]),
        ("memory", ["bob/", "alice/x", "alice/"]),
        ("-memory", ["alice/x", "bob/", "alice/"]),  # what is not known comes last in any case
        ("-idle", ["alice/x", "bob/", "alice/"]),
        ("since", ["alice/x", "alice/", "bob/"]),
        ("__class__", ["alice/", "alice/x", "bob/"]),
    ],
)
def test_it_sorts_by_every_column(order: str, expected: list[str]) -> None:
    assert people(sorted_by(ROWS, order)) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", 3),
        ("ALICE", 2),
        ("alice queue", 1),
        ("n2", 1),
        ("analysis", 1),
        ("gpu", 3),
        ("17", 3),
        ("nobody", 0),
        ("x" * 9999, 0),
    ],
)
def test_it_filters_by_whatever_a_row_says(words: str, expected: int) -> None:
    assert len(showing(ROWS, words)) == expected


def test_a_row_says_what_is_known() -> None:
    words = ROWS[2].words()
    assert words["person"] == "alice (Analysis)"
    assert words["where"] == "n1 · main · gpu"
    assert (words["idle"], words["memory"], words["cpu"]) == ("2h", "50 B", "")
    assert ROWS[1].words()["idle"] == ""
    assert ROWS[1].as_json()["keys"]["idle"] is None


def test_all_who_look_are_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def look(_db: object) -> dict[tuple[str, str], float | None]:
        looks.append(now[0])
        return {}

    monkeypatch.setattr(overview, "last_activities", look)
    now = [0.0]
    site = parse(small_site(), Path("/etc/clusterhub/site.toml"))
    table = Overview(site, lambda: now[0])
    for moment in (0.0, 0.5, FRESH, FRESH + 1):
        now[0] = moment
        assert table.rows(SimpleNamespace(), []) == ()  # type: ignore[arg-type]
    assert looks == [0.0, FRESH]


def test_when_sessions_were_last_used_is_one_query() -> None:
    db = orm.new_session_factory("sqlite:///:memory:")()
    for name, used in (("alice", datetime(2026, 1, 1)), ("bob", None), ("carol", None)):  # noqa: DTZ001 - as JupyterHub has it
        user = orm.User(name=name)
        spawner = orm.Spawner(name="", user=user, last_activity=used)
        if name != "carol":
            spawner.server = orm.Server()
        db.add_all([user, spawner])
    db.commit()
    new_year = datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()
    assert last_activities(db) == {("alice", ""): new_year, ("bob", ""): None}


OPERATOR = ["admin-ui", "list:users", "read:users", "read:servers", "delete:servers"]


def ask(kind: Any, scopes: list[str], *path: str, text: str = "") -> Any:
    """What a handler does for somebody with these scopes; HTTPError where it refuses."""
    done: list[Any] = []
    messages = SimpleNamespace(send=lambda person, said: done.append((person, said)) or bool(said))

    async def render(*_: object, **names: Any) -> Any:
        return names

    handler = SimpleNamespace(
        current_user=SimpleNamespace(name="bob"),
        expanded_scopes=set(scopes),
        parsed_scopes=parse_scopes(scopes),
        db=None,
        hub=SimpleNamespace(base_url="/hub/"),
        users={},
        request=SimpleNamespace(path="/hub/clusterhub/sessions", method="GET"),
        settings={
            OVERVIEW: SimpleNamespace(rows=lambda *_: tuple(ROWS)),
            "clusterhub": SimpleNamespace(messages=messages),
        },
        find_user={"alice": object()}.get,
        set_header=lambda *_: None,
        get_query_argument=lambda _name, default: default,
        get_body_argument=lambda _name, _default: text,
        render_template=render,
        finish=done.append,
        write=done.append,
        redirect=done.append,
    )
    handler._check = lambda person: MessageHandler._check(handler, person)  # type: ignore[arg-type]
    verb = kind.post if text else kind.get
    answer = verb(handler, *path)
    if asyncio.iscoroutine(answer):
        asyncio.run(answer)
    return done


def test_the_table_is_for_operators_only() -> None:
    [page] = ask(SessionsPage, OPERATOR)
    assert page["total"] == 3
    [told] = ask(SessionsHandler, OPERATOR)
    assert '"person": "bob"' in told
    for scopes in (["self"], ["read:servers!user=bob"], ["admin-ui", "read:servers!group=course"]):
        for kind in (SessionsPage, SessionsHandler):
            with pytest.raises(HTTPError) as refusal:
                ask(kind, scopes)
            assert refusal.value.status_code in (403, 404)


def test_who_may_stop_may_say_why_and_nobody_else() -> None:
    sent, where = ask(MessageHandler, OPERATOR, "alice", text="Please save.")
    assert sent == ("alice", "Please save.")
    assert where == "/hub/clusterhub/sessions?sent=alice"
    with pytest.raises(HTTPError) as refusal:
        ask(MessageHandler, ["delete:servers!user=bob"], "alice", text="x")
    assert refusal.value.status_code in (403, 404)
    with pytest.raises(HTTPError):
        ask(MessageHandler, OPERATOR, "nobody", text="x")
