"""What an attacker runs on a node, as a Unix user there: standard library, munge and the hub's own port."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.hub_fixture import LiveHub

from clusterhub.session.launcher import VERSION

INTERNAL = "https://gateway:8081"
"""Where jobs reach the hub: from any node, and so can anybody there."""

_ASK = """\
import json, ssl, subprocess, sys, urllib.error, urllib.request
told = json.load(sys.stdin)
body = told["body"]
if "credential" in told["munge"]:
    body["ticket"] = {"kind": "munge", "value": told["munge"]["credential"]}
elif told["munge"]:
    payload = json.dumps(body, sort_keys=True).encode()
    made = subprocess.run(["munge"], input=payload, capture_output=True, check=True)
    body["ticket"] = {"kind": "munge", "value": made.stdout.decode().strip()}
sent = json.dumps(body).encode() if told["method"] != "GET" else None
request = urllib.request.Request(told["url"], sent, told["headers"], method=told["method"])
try:
    answer = urllib.request.urlopen(request, timeout=30, context=ssl._create_unverified_context())
except urllib.error.HTTPError as error:
    answer = error
text = answer.read().decode(errors="replace")
print(json.dumps({"status": answer.status, "text": text, "sent": body, "headers": dict(answer.headers)}))
"""
"""One request; with a munge credential over the body where one is wished for."""

FLOOD = """\
import http.client, json, ssl, sys, threading
host, port, path, body, threads, times = json.load(sys.stdin)
said = {}
def ask():
    for _ in range(times):
        anybody = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, port, timeout=60, context=anybody)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except OSError as error:
            status = type(error).__name__
        said[status] = said.get(status, 0) + 1
        connection.close()
started = [threading.Thread(target=ask) for _ in range(threads)]
for thread in started: thread.start()
for thread in started: thread.join()
print(json.dumps(said))
"""
"""Many requests from a few threads, so many times each."""


@dataclass(frozen=True)
class Said:
    """What the hub answered."""

    status: int
    text: str
    sent: Mapping[str, Any]
    """The body as it was sent: what somebody who captured it has."""
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        """The answer's body."""
        return json.loads(self.text)

    @property
    def message(self) -> str:
        """The hub's own words."""
        return str(self.json["message"])


@dataclass(frozen=True)
class Attacker:
    """Somebody with a shell on a node."""

    hub: LiveHub
    name: str
    node: str

    def asks(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        method: str = "POST",
        munge: bool = False,
        captured: str = "",
        headers: Mapping[str, str] | None = None,
        url: str = INTERNAL,
    ) -> Said:
        """Sends one request to the hub's own port, with a ticket of one's own, or one that was captured."""
        told = {
            "url": f"{url}/hub/{path}",
            "method": method,
            "body": dict(body or {}),
            "munge": {"credential": captured} if captured else {"made": True} if munge else {},
            "headers": {"Content-Type": "application/json", **(headers or {})},
        }
        done = self.hub.cluster.run(
            self.node, ["/usr/bin/python3", "-c", _ASK], self.name, input=json.dumps(told), timeout=60
        )
        assert done.returncode == 0, done.stderr
        return Said(**json.loads(done.stdout))

    def claims(self, claim: Mapping[str, Any], *, munge: bool = True, captured: str = "") -> Said:
        """Says to be a session's job."""
        return self.asks("api/clusterhub/claim", claim, munge=munge and not captured, captured=captured)


def claim_of(hub: LiveHub, job: str, node: str, **instead: object) -> dict[str, Any]:
    """All that anybody can know of a job, as that job itself would say it."""
    claim = {
        "version": VERSION,
        "tag": hub.comment(job),
        "job": job,
        "restart": 0,
        "node": node,
        "address": hub.cluster.addresses[node],
        "port": 40000,
        "claim": "0123456789abcdef",
    }
    return {**claim, **instead}
