"""What a job says of itself when everything about it is right."""

from __future__ import annotations

from clusterhub.session.launcher import VERSION

TAG = "clusterhub:hub:alice:"
CLAIM = {
    "version": VERSION,
    "tag": TAG,
    "job": "17",
    "restart": 0,
    "node": "n1",
    "address": "10.77.0.11",
    "port": 30001,
    "claim": "c0ffee",
    "ticket": {"kind": "munge", "value": "MUNGE:x:"},
}
