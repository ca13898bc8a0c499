"""From standard input to standard output: one request, its record, its reply."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from clusterhub.privileged.helper.accounts import Caller
from clusterhub.privileged.helper.audit import Audit
from clusterhub.privileged.helper.configuration import CONFIGURATION, Configuration, read_configuration
from clusterhub.privileged.helper.person import SAFE_PATH
from clusterhub.privileged.helper.refusal import Refused
from clusterhub.privileged.helper.requests import REQUEST_BYTES, parse_request
from clusterhub.privileged.helper.verbs import carry_out

BEHIND = 10
"""Niceness; 0 is a usual process's."""

LAST_WORDS = 5
"""Seconds after the deadline in which what hangs is ended, recorded and answered for."""


def _caller() -> Caller:
    if os.getuid() != os.geteuid() or os.getgid() != os.getegid():
        raise Refused("the helper must not be installed setuid or setgid", next_step="chmod it 0755")
    name = os.environ.get("SUDO_USER") or f"uid {os.getuid()}"
    return Caller(os.getuid(), os.getuid() == 0, "SUDO_UID" in os.environ, name[:64])


def _configuration(arguments: list[str], caller: Caller) -> Configuration:
    if not arguments:
        return read_configuration(CONFIGURATION, (0,))
    if arguments[0] == "--configuration" and len(arguments[1:]) == 1 and not caller.through_sudo:
        return read_configuration(arguments[1], (0, caller.uid))
    raise Refused("the helper takes no arguments", next_step="it reads its request from standard input")


def _reply(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``work`` returns, or its error as a reply."""
    try:
        return work()
    except Refused as error:
        return error.reply()
    except Exception as error:
        what = f"internal error ({type(error).__name__})"
        return Refused(what, next_step="see the audit log, and tell us", kind="internal").reply()


def answer(arguments: list[str]) -> dict[str, Any]:
    """Read a request, carry it out, record it, and return the reply."""
    caller = _caller()
    configuration = _configuration(arguments, caller)
    begun = time.monotonic()
    # Whatever hangs below, nothing that root started stays: the hub could not end it.
    signal.alarm(configuration.program_seconds + LAST_WORDS)
    os.environ.clear()
    os.environ["PATH"] = SAFE_PATH
    audit = Audit(configuration.audit_log, caller)
    verb = "?"
    fields: dict[str, Any] = {}

    def work() -> dict[str, Any]:
        nonlocal verb, fields
        verb, fields = parse_request(sys.stdin.buffer.read(REQUEST_BYTES + 1), configuration)
        deadline = min(begun + configuration.program_seconds, fields.get("until", math.inf))
        signal.setitimer(signal.ITIMER_REAL, max(0.0, deadline - time.monotonic()) + LAST_WORDS)
        return carry_out(verb, fields, configuration, caller, deadline)

    reply = _reply(work)
    audit.write(verb, fields, reply)
    return reply


def main() -> int:
    """Answer one request; exit code 0 whenever there was an answer."""
    # PAM's modules and whatever else may print must not get into the reply.
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.umask(0o022)
    # No core file of a process with secrets; Slurm hands the soft limit on to the job.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if os.geteuid() == 0:
        # Where many ask at once, the hub goes first: it has people who wait for its answers.
        os.setpriority(os.PRIO_PROCESS, 0, BEHIND)
    reply = _reply(lambda: answer(sys.argv[1:]))
    try:
        with os.fdopen(output, "wb") as file:
            file.write(json.dumps(reply).encode() + b"\n")
    except OSError:
        return 70
    return 0


if __name__ == "__main__":
    sys.exit(main())
