"""A token is good for its person's own things: whatever else it asks for is refused, and in the audit log.

The attacker is alice, with tokens of her own and a shell on nodes and gateway; the session is bob's. It fails
without the scopes of our handlers (`needs_scope`), without `JobHandler`'s look at the token, without the look
at the address that a request came from, and with a state directory that is open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.abuse.attacker import Attacker, claim_of
from tests.cluster.test_audit_log import audited, wait_for
from tests.fault.on_slurm import person, server
from tests.hub_fixture import LiveHub
from tests.hub_site import STATE_DIRECTORY
from tests.tokens import own_token

Asked = tuple[str, str, Mapping[str, Any] | None]

CHANGES: tuple[Asked, ...] = (
    ("POST", "users/bob/server", {}),
    ("POST", "users/bob/servers/second", {"profile": "debug"}),
    ("DELETE", "users/bob/server", None),
    ("DELETE", "users/bob/server", {"remove": True}),
    ("POST", "users/bob/tokens", {"note": "mine"}),
    ("POST", "users/bob/tokens", {"scopes": ["access:servers!user=bob"]}),
    ("POST", "users/alice/tokens", {"scopes": ["admin:users"]}),
    ("PATCH", "users/alice", {"admin": True}),
    ("PATCH", "users/bob", {"name": "alice2"}),
    ("POST", "users/mallory", None),
    ("DELETE", "users/bob", None),
    ("POST", "users/bob/activity", {"last_activity": "2030-01-01T00:00:00Z"}),
    ("POST", "shares/bob/", {"user": "alice"}),
    ("POST", "groups/mine", {}),
    ("POST", "proxy", None),
    ("POST", "shutdown", {"servers": True}),
    # Names as they are not written.
    ("DELETE", "users/BOB/server", None),
    ("DELETE", "users/alice%2F..%2Fbob/server", None),
    ("DELETE", "users/bob%00/server", None),
)
"""What changes something: method, path below the REST API, and body."""

LOOKS: tuple[str, ...] = (
    *("users/bob", "users/bob/tokens", "users/bob/server/progress", "users/bob/shared", "users/bob/server"),
    *(
        "clusterhub/sessions/bob",
        "clusterhub/sessions/bob/",
        "clusterhub/endings/bob",
        "clusterhub/endings/bob/x",
    ),
    *("users", "proxy", "services", "groups", "shares/bob/"),
)


async def test_a_token_does_nothing_to_somebody_elses_session(hub: LiveHub) -> None:
    async with person(hub, "bob") as bob, person(hub, "alice") as alice:
        await bob.start({"profile": "debug"})
        token = await own_token(alice)
        since = len(audited())
        at_node = Attacker(hub, "alice", "n1")
        for method, path, body in CHANGES:
            # From a node at the hub's own port, where no proxy is between.
            said = at_node.asks(
                f"api/{path}", body, method=method, headers={"Authorization": f"token {token}"}
            )
            assert 400 <= said.status < 500, (method, path, said)
            if not path.endswith("/activity"):  # which sessions say all the time, and changes nothing
                line = wait_for_request(since, said.headers["X-Request-Id"])
                assert (line["who"], line["outcome"]) == ("alice", "refused"), (method, path, line)
        for path in LOOKS:
            status, told = hub.api("GET", path, token=token)
            if status == 200:  # lists have what she may see
                assert "bob" not in json.dumps(told), (path, told)
                continue
            assert status in (403, 404, 405), (path, status)
            if status != 405:
                wait_for("look refused", since, who="alice", path=f"api/{path}", status=status)
        # The session itself knows whose it is.
        for path in ("api/status", "lab", "clusterhub/session"):
            headers = {"Authorization": f"token {token}"}
            async with alice.http.get(
                f"{alice.url}/user/bob/{path}", headers=headers, allow_redirects=False
            ) as answer:
                assert answer.status in (302, 403), path
                assert "/user/bob" not in answer.headers.get("Location", "").partition("?")[0]
        async with alice.http.get(f"{alice.url}/user/bob/lab") as answer:
            assert answer.status == 403
        wait_for("server entered", since, who="alice", person="bob", outcome="refused")

        assert (await server(bob))["ready"]
        assert hub.jobs("alice") == []
        await hub.stop_session(bob)


async def test_somebody_elses_token_says_nothing_for_a_job(hub: LiveHub) -> None:
    """Ready, and the time that is left, are said by the session alone."""
    async with person(hub, "bob") as bob, person(hub, "alice") as alice:
        await bob.start({"profile": "debug"})
        await alice.start({"profile": "debug"})
        [job] = hub.jobs("bob")
        find = "import glob, json, os; runtime = os.environ['JUPYTER_RUNTIME_DIR']\n"
        find += "print(json.load(open(glob.glob(runtime + '/jpserver-*.json')[0]))['token'])"
        printed, _ = await alice.run_cell(find)
        since = len(audited())
        at_node = Attacker(hub, "alice", "n1")
        said = claim_of(hub, job, "n1")
        del said["claim"]
        for token in (printed.strip(), "0" * 32, ""):
            headers = {"Authorization": f"token {token}"} if token else {}
            ready = at_node.asks("api/clusterhub/ready", said, headers=headers)
            assert (ready.status, ready.message) == (403, "The token is not this session's.")
            line = wait_for_request(since, ready.headers["X-Request-Id"])
            assert (line["event"], line["person"], line["outcome"]) == ("session serves", "bob", "refused")
            question = {key: said[key] for key in ("version", "tag", "job", "restart")}
            time = at_node.asks("api/clusterhub/time", question, headers=headers)
            assert time.status == 403
        assert (await server(bob))["ready"]
        await hub.stop_session(bob)
        await hub.stop_session(alice)


def test_the_hubs_files_and_the_proxys_socket_are_closed_to_people_on_its_own_machine(hub: LiveHub) -> None:
    """The proxy takes routes from whoever opens its socket and knows its token."""
    ask = (
        "import os, socket, sys\n"
        "directory = sys.argv[1]\n"
        "def tried(what):\n"
        "    try: return what()\n"
        "    except OSError as error: return type(error).__name__\n"
        "def connect(address):\n"
        "    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET\n"
        "    with socket.socket(family) as own: return own.connect(address)\n"
        "print(tried(lambda: connect(directory + '/proxy.sock')), tried(lambda: os.listdir(directory)))\n"
        "for name in ('proxy_token', 'own_token', 'cookie_secret', 'audit.jsonl', 'jupyterhub.sqlite'):\n"
        "    print(tried(lambda: open(directory + '/' + name)))\n"
        "print(tried(lambda: connect(('127.0.0.1', 8001))))\n"
    )
    done = hub.cluster.run("gateway", ["/usr/bin/python3", "-c", ask, str(STATE_DIRECTORY)], "alice")
    words = done.stdout.split()
    assert words == [*["PermissionError"] * 7, "ConnectionRefusedError"], done


def wait_for_request(since: int, request: str) -> dict[str, Any]:
    """The line of one request."""
    event = next((line["event"] for line in audited(since) if line["request"] == request), "")
    return wait_for(event, since, request=request)
