"""The record of what was asked and what came of it."""

from __future__ import annotations

import json
import os
import stat
import syslog
import time
from collections.abc import Mapping
from typing import Any

from clusterhub.privileged.helper.accounts import Caller
from clusterhub.privileged.helper.refusal import Refused, refused_with


class Audit:
    """One line for each call, to the system's log and, where configured, to a file. Never a secret."""

    def __init__(self, path: str | None, caller: Caller) -> None:
        self.caller = caller
        self.descriptor: int | None = None
        if path is None:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        with refused_with("the audit log cannot be opened", path, "make its directory"):
            self.descriptor = os.open(path, flags, 0o600)
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != caller.uid or status.st_mode & 0o027:
            raise Refused("the audit log could be read or written by others", path, "chmod 0600 it")

    def write(self, verb: str, fields: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """Record what was asked and what came of it."""
        outcome = "done"
        if "error" in reply:
            outcome = f"{reply['error']['kind']}: {reply['error']['what']}"
        elif verb == "authenticate":
            outcome = "accepted" if reply["ok"] else reply["reason"]
        elif "exit_code" in reply:
            outcome = reply["problem"] or f"exit code {reply['exit_code']}"
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "verb": verb,
            "person": fields.get("person", "?"),
            "caller": self.caller.name,
            **{key: fields[key] for key in ("argv", "name", "address", "request") if fields.get(key)},
            "outcome": outcome,
        }
        text = json.dumps(line)
        if self.caller.root:
            syslog.openlog("clusterhub-helper", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
            syslog.syslog(syslog.LOG_NOTICE, text)
        if self.descriptor is not None:
            os.write(self.descriptor, text.encode() + b"\n")
