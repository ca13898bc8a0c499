"""One session is followed through the hub's audit log and the scheduler, by its request and its job.

Each line is looked for: without `Launch._note_job` there is none of the job, without `JobHandler.note` none
of a claim that was refused, and without its rule in `clusterhub.hub.audited` none of a start that was.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
from typing import Any

import pytest
from tests.hub_fixture import LiveHub
from tests.hub_site import AUTHORITY, STATE_DIRECTORY
from tests.real_cluster.processes import wait_until

from clusterhub.hub.walkthrough import Walk

AUDIT_LOG = STATE_DIRECTORY / "audit.jsonl"


def audited(since: int = 0) -> list[dict[str, Any]]:
    """The lines from one on; all that is asserted of has been waited for."""
    return [json.loads(line) for line in AUDIT_LOG.read_text().splitlines()[since:]]


def wait_for(event: str, since: int, **fields: object) -> dict[str, Any]:
    """The first such line from there on."""

    def found() -> list[dict[str, Any]]:
        wanted = {"event": event, **fields}
        return [line for line in audited(since) if line == {**line, **wanted}]

    assert wait_until(lambda: bool(found()), 20, pause=0.1), audited(since)
    return found()[0]


async def test_a_session_is_followed_from_click_to_end_through_hub_helper_and_scheduler(
    hub: LiveHub,
) -> None:
    since = len(audited())
    password = hub.cluster.people["alice"].password
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(password)
        await walk.start({"profile": "debug"})
        await walk.run_cell("print(6 * 7)")
        [job] = hub.expect_cancel("alice")
        await walk.stop()
    assert hub.wait_for_no_job("alice")

    login = wait_for("login", since, who="alice", person="alice", outcome="done")
    assert re.fullmatch(r"[0-9a-f]{16}", login["request"])
    assert login["address"]
    asked = wait_for("start asked", since, who="alice", person="alice", server="", outcome="done")
    submitted = wait_for("job submitted", since, job=job, person="alice", cluster="main", profile="debug")
    assert asked["request"] == submitted["request"] != login["request"]
    boarded = wait_for("boarding", since, who="job", person="alice", job=job, outcome="done")
    assert boarded["node"] == "n1"
    wait_for("session serves", since, who="job", person="alice", job=job)
    wait_for("server entered", since, who="alice", person="alice", outcome="done")
    stop = wait_for("stop asked", since, who="alice", person="alice", outcome="done")
    cancelled = wait_for("job cancelled", since, who="hub", person="alice", job=job)
    assert stop["request"] == cancelled["request"]

    # The same ids in the hub's log, and in the answer.
    assert asked["request"] in hub.log()
    # No password, and nothing that only its owner may read is open to others.
    assert password not in AUDIT_LOG.read_text()
    assert stat.S_IMODE(AUDIT_LOG.stat().st_mode) == 0o600


async def test_what_is_refused_is_noted_with_who_asked(hub: LiveHub) -> None:
    since = len(audited())
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
        url = f"{hub.url}/hub/api/users/bob/server"
        async with walk.http.post(url, headers=walk.headers(), json={}) as answer:
            assert answer.status in {403, 404}
            request = answer.headers["X-Request-Id"]
    line = wait_for("start asked", since, who="alice", person="bob", outcome="refused")
    assert line["request"] == request


def test_a_claim_from_a_node_that_is_refused_is_noted(hub: LiveHub) -> None:
    since = len(audited())
    body = json.dumps({"version": 1, "tag": "clusterhub:under-test:alice:", "job": "17", "ticket": "secret"})
    program = (
        "import ssl, sys, urllib.request, urllib.error\n"
        "known = ssl.create_default_context(cadata=sys.argv[2])\n"
        "url = 'https://gateway:8081/hub/api/clusterhub/claim'\n"
        "try: urllib.request.urlopen(url, sys.argv[1].encode(), context=known)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    authority = AUTHORITY.read_text()
    done = hub.cluster.run("n1", ["/usr/bin/python3", "-c", program, body, authority], user="bob")
    assert done.stdout.strip() == "403", done.stderr
    line = wait_for("boarding", since, who="job", person="alice", job="17", outcome="refused")
    assert line["address"] == "10.77.0.11"
    assert "documented fields" in line["why"]
    assert "secret" not in json.dumps(line)


@pytest.mark.parametrize("made_anew", [False, True], ids=["moved", "moved and made anew"])
async def test_the_log_goes_on_in_a_new_file_when_logrotate_has_moved_it(
    hub: LiveHub, made_anew: bool
) -> None:
    """It renames the file, as mv does. Without the look at name and inode the lines go into the old one."""
    old = AUDIT_LOG.with_name("audit.jsonl.1")
    AUDIT_LOG.rename(old)
    if made_anew:
        AUDIT_LOG.touch(mode=0o600)
        shutil.chown(AUDIT_LOG, old.owner())  # as logrotate's "create" has to name the hub's account
    before = old.read_text()
    async with Walk.begin(hub.url, "alice") as walk:
        await walk.log_in(hub.cluster.people["alice"].password)
    assert wait_until(AUDIT_LOG.exists, 10)
    wait_for("login", 0, who="alice")
    assert old.read_text() == before
