"""Where there is no munge tickets are made from a secret in a file; one that was seen, or an old file, fails.

On the local engine, by whoever reaches the hub's own port on this machine. Each try is otherwise as the job
itself would make it; without the look at what was shown, at the job that the secret was made for, or at the
MAC, one of them says something else.
"""

from __future__ import annotations

import getpass
import json
import secrets
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.fault.conftest import Demo, demo
from tests.real_cluster.processes import wait_until

from clusterhub.hub.walkthrough import Walk
from clusterhub.session import launcher
from clusterhub.site.loading import load

__all__ = ["demo"]


def claim_of(demo: Demo, **instead: object) -> dict[str, Any]:
    """What the job of the newest session would say."""
    record = demo.records()[-1]
    claim = {
        "version": launcher.VERSION,
        "tag": record["tag"],
        "job": str(demo.jobs[-1].name),
        "restart": 0,
        "node": socket.gethostname(),
        "address": "127.0.0.1",
        "port": 40000,
        "claim": secrets.token_hex(16),
    }
    return {**claim, **instead}


def with_ticket(claim: dict[str, Any], file: Path) -> dict[str, Any]:
    """The claim with a ticket that is made from that file."""
    payload = json.dumps(claim, sort_keys=True)
    value = launcher.ticket({"kind": "file", "path": str(file)}, payload)
    return {**claim, "ticket": {"kind": "file", "value": value}}


def said_to(demo: Demo, body: dict[str, Any]) -> str:
    """The hub's words, by which it refuses; the audit log has the same."""
    site = load(demo.directory / "site.toml")
    url = f"{site.hub.internal_url}/hub/api/clusterhub/claim"
    request = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310 - the hub's own
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, context=ssl._create_unverified_context())  # noqa: S310, S323 - as above
    with caught.value as answer:
        said = str(json.loads(answer.read())["message"])

    def is_noted() -> bool:
        lines = [json.loads(line) for line in site.hub.audit_log.read_text().splitlines()]
        told = [line for line in lines if line["request"] == answer.headers["X-Request-Id"]]
        return [(line["outcome"], line["why"], line["job"]) for line in told] == [
            ("refused", said, body["job"])
        ]

    assert answer.code == 403
    assert wait_until(is_noted, 30)
    return said


async def test_a_ticket_that_was_seen_guessed_or_made_from_an_old_file_is_refused(
    demo: Demo, tmp_path: Path
) -> None:
    person = getpass.getuser()
    file = demo.directory / "sessions" / person / "default.ticket"
    async with Walk.begin(demo.url, person) as walk:
        await walk.log_in(demo.password)
        await walk.start({"profile": "small"})
        claim = claim_of(demo)
        body = with_ticket(claim, file)
        # The first is good but late, as its session serves; so is each, but for what is wrong with it.
        assert "boarded already" in said_to(demo, body)
        assert "shown before" in said_to(demo, body)
        nonce, once, mac = body["ticket"]["value"].split(".")
        for value in (
            f"{nonce}.{once}.{'0' * 64}",
            f"{secrets.token_hex(16)}.{once}.{mac}",
            file.read_text(),
        ):
            guess = {**claim, "ticket": {"kind": "file", "value": value.strip()}}
            assert "not one of this hub's for this session and claim" in said_to(demo, guess)
        assert "not one of this hub's" in said_to(demo, {**body, "port": 40001})
        other = with_ticket(claim_of(demo, tag=f"{claim['tag']}other"), file)
        assert "not one of this hub's" in said_to(demo, {**other, "tag": claim["tag"]})

        old = tmp_path / "old"
        old.write_text(file.read_text())
        await walk.stop()
        assert "has ended, or its start was given up" in said_to(demo, with_ticket(claim, old))
        await walk.start({"profile": "small"})
        assert "of an earlier job" in said_to(demo, with_ticket(claim_of(demo), old))
        assert "boarded already" in said_to(demo, with_ticket(claim_of(demo), file))
        await walk.stop()
