"""An operator sees and stops everybody's sessions, and is refused the rest: to start, enter, change, become.

Alice has a session; bob is an operator by his Unix group, with a cookie and with a token of his own. Where
operators get JupyterHub's own role `admin`, everything that is refused here is done. Where tokens have part
in the right to enter, bob gets to alice's files without a line of the audit log.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from tests.fault.on_slurm import person
from tests.hub_fixture import LiveHub
from tests.hub_site import CONF_D, ENTRANTS, OPERATORS, STATE_DIRECTORY, group
from tests.real_cluster.processes import wait_until
from tests.tokens import own_token

from clusterhub.hub.walkthrough import Walk

AUDIT_LOG = STATE_DIRECTORY / "audit.jsonl"
ALICE = "/user/alice/"


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in AUDIT_LOG.read_text().splitlines()]


def wait_for(since: int, **fields: object) -> dict[str, Any]:
    """The first line with these fields after so many."""

    def found() -> list[dict[str, Any]]:
        return [line for line in lines()[since:] if line == {**line, **fields}]

    assert wait_until(lambda: bool(found()), 10, pause=0.1), (fields, lines()[since:])
    return found()[0]


async def token_of(hub: LiveHub, name: str) -> str:
    """A token of the person's own, with all their rights."""
    async with person(hub, name) as walk:
        return await own_token(walk)


@pytest.fixture(scope="module")
def alices(live_hub: LiveHub) -> Iterator[str]:
    """The id of the job of alice's session, which is there to the end unless somebody stops it."""

    async def start() -> None:
        async with person(live_hub, "alice") as walk:
            await walk.start({"profile": "debug"})

    asyncio.run(start())
    (live_hub.cluster.people["alice"].home / "private.txt").write_text("of alice's")
    [job] = live_hub.jobs("alice")
    yield job
    live_hub.ensure_running()
    live_hub.end_sessions()
    (live_hub.cluster.people["alice"].home / "private.txt").unlink()


@pytest.fixture(scope="module")
def token(live_hub: LiveHub, alices: str) -> Iterator[str]:  # noqa: ARG001 - the session is there first
    """Bob's, who is an operator."""
    with group(OPERATORS, "bob"):
        yield asyncio.run(token_of(live_hub, "bob"))


FORBIDDEN: list[tuple[str, str, object, dict[str, object]]] = [
    ("POST", "users/alice/server", {}, {"event": "start asked", "person": "alice"}),
    (
        "POST",
        "users/alice/servers/another",
        {},
        {"event": "start asked", "person": "alice", "server": "another"},
    ),
    ("POST", "users/alice/tokens", {}, {"event": "token made", "person": "alice"}),
    ("POST", "users/alice/activity", {"servers": {}}, {}),
    ("DELETE", "users/alice", None, {"event": "change asked", "person": "alice"}),
    ("PATCH", "users/alice", {"name": "eve"}, {"event": "change asked", "person": "alice"}),
    ("PATCH", "users/bob", {"admin": True}, {"event": "change asked", "person": "bob"}),
    ("POST", "users/eve", None, {"event": "change asked", "person": "eve"}),
    ("POST", "users", {"usernames": ["eve"], "admin": True}, {"event": "change asked"}),
    ("POST", "users/bob/tokens", {"roles": ["admin"]}, {"event": "token made", "person": "bob"}),
    ("POST", "users/bob/tokens", {"scopes": ["access:servers"]}, {"event": "token made", "person": "bob"}),
    ("POST", "users/bob/tokens", {"scopes": ["admin:users"]}, {"event": "token made", "person": "bob"}),
    ("POST", "groups/a-group", {}, {"event": "change asked"}),
    ("POST", "groups/a-group/users", {"users": ["bob"]}, {"event": "change asked"}),
    ("POST", "shares/alice/", {"user": "bob"}, {"event": "change asked"}),
    ("POST", "services/a-service", {}, {"event": "change asked"}),
    ("PATCH", "proxy", {}, {"event": "change asked"}),
    ("POST", "proxy", {}, {"event": "change asked"}),
    ("POST", "shutdown", {}, {"event": "change asked"}),
    ("GET", "users/alice/tokens", None, {}),
    ("GET", "proxy", None, {}),
]


@pytest.mark.parametrize("forbidden", FORBIDDEN, ids=lambda each: f"{each[0]} {each[1]}")
def test_an_operator_is_refused(
    live_hub: LiveHub, alices: str, token: str, forbidden: tuple[str, str, object, dict[str, object]]
) -> None:
    since = len(lines())
    method, path, body, line = forbidden
    status, answer = live_hub.api(method, path, body, token=token)
    assert status in {400, 403, 404, 405}, answer
    if line:
        wait_for(since, who="bob", outcome="refused", **line)
    assert live_hub.jobs("alice") == [alices]


def test_an_operator_sees_everybodys_sessions_and_no_more_of_people(
    live_hub: LiveHub, alices: str, token: str
) -> None:
    status, users = live_hub.api("GET", "users?include_stopped_servers", token=token)
    assert status == 200
    [alice] = [user for user in users if user["name"] == "alice"]
    assert alice["servers"][""]["ready"] is True
    assert "auth_state" not in alice
    assert "state" not in alice["servers"][""]
    status, session = live_hub.api("GET", "clusterhub/sessions/alice", token=token)
    assert (status, session["job"], session["state"]) == (200, alices, "running")


def test_an_operators_token_opens_no_session(live_hub: LiveHub, token: str) -> None:
    for path in ("api/contents/private.txt", "api/kernels", "lab"):
        assert visit(live_hub, path, token) == 403, path


def visit(hub: LiveHub, path: str, token: str) -> int:
    """The HTTP status of a page of alice's session, asked for with a token."""
    request = urllib.request.Request(  # noqa: S310 - the hub's own address
        f"{hub.url}{ALICE}{path}", headers={"Authorization": f"token {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def test_an_operators_browser_is_not_let_into_a_session_and_starts_none(
    live_hub: LiveHub, alices: str, token: str
) -> None:
    since = len(lines())
    async with person(live_hub, "bob") as walk:
        assert (await walk.http.get(f"{walk.url}/hub/admin")).status == 200
        assert (await walk.http.get(f"{walk.url}{ALICE}lab")).status == 403
        refused = wait_for(since, event="server entered", who="bob", person="alice")
        assert refused["outcome"] == "refused"
        assert (await walk.http.get(f"{walk.url}/hub/spawn/alice/another")).status in {403, 404}
        async with walk.http.post(
            f"{walk.url}/hub/spawn/alice/another",
            data={"profile": "debug"},
            params={"_xsrf": walk._xsrf("/hub/")},
        ) as answer:
            assert answer.status in {403, 404}
    wait_for(since, event="start asked", who="bob", person="alice", outcome="refused")
    assert live_hub.jobs("alice") == [alices]
    assert live_hub.api("GET", "user", token=token)[1]["admin"] is False


async def enter(walk: Walk) -> int:
    """Goes to alice's session, and says yes on the page that asks; the status of her private file there."""
    page = await walk.http.get(f"{walk.url}{ALICE}api/me")
    page = await walk.http.get(f"{walk.url}{ALICE}tree")
    text = await page.text()
    if page.status == 200 and "oauth" in page.url.path:
        data = [("_xsrf", walk._xsrf("/hub/"))]
        data += [("scopes", each) for each in re.findall(r'name="scopes"[^>]*value="([^"]*)"', text)]
        await walk.http.post(page.url, data=data)
    async with walk.http.get(f"{walk.url}{ALICE}api/contents/private.txt") as answer:
        return answer.status


async def test_who_may_enter_does_it_with_a_browser_and_a_line_of_the_audit_log_each_time(
    live_hub: LiveHub, alices: str, token: str
) -> None:
    with group(ENTRANTS, "bob"):
        since = len(lines())
        async with person(live_hub, "bob") as walk:  # membership follows at the login
            wait_for(since, event="right given", person="bob", role="clusterhub-entry")
            assert await enter(walk) == 200
            entered = wait_for(since, event="server entered", who="bob", person="alice", outcome="done")
            assert re.fullmatch(r"[0-9a-f]{16}", entered["request"])
            # What would leave no line is refused still: tokens of his own, of before and of now.
            assert visit(live_hub, "api/contents/private.txt", token) == 403
            for body in ({}, {"scopes": ["access:servers"]}, {"scopes": ["access:servers!server=alice/"]}):
                status, made = live_hub.api("POST", "users/bob/tokens", body, token=token)
                if status == 201:
                    assert visit(live_hub, "api/contents/private.txt", made["token"]) == 403
            url = f"{walk.url}/hub/api/users/bob/tokens"
            async with walk.http.post(
                url, headers=walk.headers(), json={"scopes": ["access:servers!server=alice/"]}
            ) as answer:
                if answer.status == 201:
                    made = await answer.json()
                    assert visit(live_hub, "api/contents/private.txt", made["token"]) == 403
            # To enter is not to start, or to make tokens for her.
            assert live_hub.api("POST", "users/alice/tokens", {}, token=token)[0] in {403, 404}
    assert live_hub.jobs("alice") == [alices]


def change_members(how: str) -> None:
    """The operators of the cluster take bob out of the group, or into it again."""
    subprocess.run(["/usr/bin/gpasswd", how, "bob", OPERATORS], check=True, capture_output=True)


async def test_membership_follows_when_the_hub_restarts_and_a_drop_in_file_makes_a_full_admin(
    live_hub: LiveHub, alices: str, token: str
) -> None:
    async with person(live_hub, "bob") as walk:
        assert (await walk.http.get(f"{walk.url}/hub/admin")).status == 200
        live_hub.stop()
        change_members("--delete")
        live_hub.start()
        assert (await walk.http.get(f"{walk.url}/hub/admin")).status == 403
        assert live_hub.api("GET", "users", token=token)[0] == 403
        assert live_hub.api("DELETE", "users/alice/server", token=token)[0] in {403, 404}

        drop_in = CONF_D / "zz-admin.py"
        drop_in.write_text('c.Authenticator.admin_users = {"bob"}\n')
        live_hub.stop()
        change_members("--add")
        live_hub.start()
        try:
            assert (await walk.http.get(f"{walk.url}/hub/admin")).status == 200
            assert live_hub.api("POST", "users/alice/tokens", {}, token=token)[0] == 201
            # A new one, as the session remembers for a while whose the other is and what it may.
            status, made = live_hub.api("POST", "users/bob/tokens", {}, token=token)
            assert (status, visit(live_hub, "api/contents/private.txt", made["token"])) == (201, 200)
        finally:
            drop_in.unlink()
    assert live_hub.jobs("alice") == [alices]


def test_an_operator_stops_a_session_and_sees_why_it_ended(
    live_hub: LiveHub, alices: str, token: str
) -> None:
    """The last of this file: the session is gone with it."""
    since = len(lines())
    assert live_hub.api("DELETE", "users/alice/server", token=token)[0] in {202, 204}
    wait_for(since, event="stop asked", who="bob", person="alice", outcome="done")
    wait_for(since, event="job cancelled", person="alice", job=alices)
    assert live_hub.wait_for_no_job("alice")
    status, ending = live_hub.api("GET", "clusterhub/endings/alice", token=token)
    assert (status, ending["job"]) == (200, alices)
