"""Each request that changes something is one event, with who asked, for whom, and how it was answered."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from clusterhub.hub.audited import Answered, event_of

ASKED = Answered("GET", "home", b"", "alice", 200)


def told(method: str, path: str, **rest: object) -> dict[str, object] | None:
    event = event_of(replace(ASKED, method=method, path=path, **rest))  # type: ignore[arg-type]
    return None if event is None else {"event": event.name, **asdict(event)}


@pytest.mark.parametrize(
    ("method", "path", "rest", "event"),
    [
        ("POST", "spawn", {"status": 302}, {"event": "start asked", "person": "alice", "server": ""}),
        ("POST", "spawn/bob/a%20b", {"status": 302}, {"person": "bob", "server": "a b", "who": "alice"}),
        ("POST", "api/users/bob/server", {"status": 202}, {"event": "start asked", "person": "bob"}),
        ("POST", "api/users/bob/servers/x", {"status": 403}, {"outcome": "refused", "server": "x"}),
        ("POST", "api/users/bob/servers/x", {"status": 424}, {"outcome": "failed"}),
        ("POST", "api/users/bob/servers/x", {"status": 500}, {"outcome": "failed", "status": 500}),
        ("DELETE", "api/users/bob/servers/x", {"status": 204}, {"event": "stop asked", "server": "x"}),
        ("DELETE", "api/users/bob/server", {"status": 404}, {"event": "stop asked", "outcome": "refused"}),
        (
            "POST",
            "api/users/bob/tokens",
            {"status": 201, "body": b'{"scopes": ["servers", 7], "note": "my secret"}'},
            {"event": "token made", "person": "bob", "scopes": "servers"},
        ),
        ("POST", "api/users/bob/tokens", {"status": 403, "body": b"["}, {"scopes": "", "outcome": "refused"}),
        ("DELETE", "api/users/bob/tokens/a7", {"status": 204}, {"event": "token revoked", "token": "a7"}),
        (
            "GET",
            "api/oauth2/authorize",
            {"entered": ("bob", "x"), "status": 302, "location": "/user/bob/x/oauth_callback?code=secret"},
            {"event": "server entered", "who": "alice", "person": "bob", "server": "x", "outcome": "done"},
        ),
        ("GET", "api/oauth2/authorize", {"entered": ("bob", ""), "status": 403}, {"outcome": "refused"}),
        ("PATCH", "api/users/bob", {"status": 200}, {"event": "change asked", "person": "bob"}),
        ("DELETE", "api/groups/x/users", {"status": 200}, {"path": "api/groups/x/users", "person": ""}),
        ("POST", "api/shutdown", {"status": 403}, {"event": "change asked", "outcome": "refused"}),
        ("PATCH", "api/users/bob/server", {"status": 200}, {"event": "change asked", "person": "bob"}),
        ("GET", "api/users/bob", {"status": 404}, {"event": "look refused", "person": "bob"}),
        ("GET", "api/users/bob/tokens", {"status": 403, "who": ""}, {"event": "look refused", "who": ""}),
        ("GET", "api/clusterhub/endings/bob/x", {"status": 404}, {"person": "bob", "outcome": "refused"}),
        ("GET", "api/proxy", {"status": 403}, {"event": "look refused", "path": "api/proxy"}),
    ],
)
def test_what_changes_something_is_noted(
    method: str, path: str, rest: dict[str, object], event: dict[str, object]
) -> None:
    said = told(method, path, **rest)
    assert said is not None
    assert said == {**said, **event}
    assert "secret" not in repr(said)


@pytest.mark.parametrize(
    ("method", "path", "rest"),
    [
        ("GET", "home", {}),
        ("GET", "api/users/bob", {}),
        ("GET", "api/clusterhub/endings/alice", {"status": 404}),
        ("GET", "spawn/alice", {"status": 200}),
        ("GET", "spawn/alice", {"status": 302, "location": "/hub/spawn-pending/alice"}),
        ("POST", "login", {"status": 403}),  # noted where it is judged, with the reason
        ("POST", "api/users/alice/activity", {}),
        ("POST", "api/oauth2/token", {}),
        ("POST", "api/clusterhub/claim", {"status": 403}),
        ("GET", "api/oauth2/authorize", {"entered": ("bob", ""), "status": 200}),  # the page that asks first
        ("GET", "api/oauth2/authorize", {"entered": None, "status": 302, "location": "/services/x?code=1"}),
        ("POST", "security/csp-report", {"who": ""}),
    ],
)
def test_what_changes_nothing_or_is_noted_elsewhere_is_not(
    method: str, path: str, rest: dict[str, object]
) -> None:
    assert told(method, path, **rest) is None
