"""The job script: prologue, body and epilogue in one bash text. Pure."""

from __future__ import annotations

import shlex

from clusterhub.schedulers.model import JobRequest

PROLOGUE_FAILED = 64
"""Exit code of a job whose prologue failed."""
PROLOGUE_FAILED_LINE = "clusterhub: prologue failed with exit code "
"""Begins the line of the log that tells it from a body that ended with the same code."""

_HEADER = """\
#!/bin/bash
# A session started by clusterhub.
"""

# A job starts in the directory that the submitting command ran in, which is none of the person's.
_HOME = """\
cd -- ~ 2>/dev/null || cd /
"""

# /etc/profile brings what the site gives to everybody, such as `module`. The person's own files are not read:
# an `exit` or an `exec` in somebody's .bashrc must not keep a session from starting.
_SITE_PROFILE = """\
if [ -r /etc/profile ]; then . /etc/profile; fi
"""

# Until somebody in the body wants to hear it, the scheduler's warning must not kill anything. What is ignored
# stays so across an exec, until the launcher has a handler.
_WARNING_IGNORED = """\
trap '' USR1
"""

_EPILOGUE = """\
clusterhub_epilogue() {{
    trap '' TERM
    eval {epilogue}
}}
"""

# An ERR trap and not `set -e`: the former is not inherited by functions, so a `module` whose inside meets
# harmless failures still counts by its own exit code alone. `eval` keeps a syntax error inside the prologue.
_PROLOGUE = """\
clusterhub_prologue_ended() {{
    trap - ERR EXIT TERM
    if [ -z "$clusterhub_terminated" ]; then
        echo "{line}$1" >&2
    fi
    {epilogue}
    if [ -n "$clusterhub_terminated" ]; then exit 143; fi
    exit {code}
}}
clusterhub_terminated=
trap 'clusterhub_terminated=1; exit 143' TERM
trap 'clusterhub_prologue_ended "$?"' ERR EXIT
eval {prologue}
trap - ERR EXIT TERM
unset clusterhub_terminated
unset -f clusterhub_prologue_ended
"""

# `set -m` while the body is put in the background: without job control POSIX has a background job and all of
# its children ignore SIGINT (bash 5.2 does it for simple commands only), and a kernel could not be
# interrupted. bash runs a trap only between commands, hence background and wait; a wait that the trap broke
# off is done again, and yields the body's own exit code.
_GUARDED_BODY = """\
set -m
(
set +m
{body}
) &
clusterhub_body=$!
set +m
trap 'clusterhub_interrupted=1; kill -TERM "$clusterhub_body" 2>/dev/null' TERM
{warning}while :; do
    clusterhub_interrupted=
    wait "$clusterhub_body"
    clusterhub_code=$?
    if [ -z "$clusterhub_interrupted" ]; then break; fi
done
clusterhub_epilogue
exit "$clusterhub_code"
"""


_WARNING_HANDED_ON = """\
trap 'clusterhub_interrupted=1; kill -USR1 "$clusterhub_body" 2>/dev/null' USR1
"""


def compose(request: JobRequest) -> str:
    """The job script of a request.

    The prologue runs in the shell that starts the body, so what it exports or loads is there. The first
    command of it that fails ends the job with `PROLOGUE_FAILED` and a line on standard error. The epilogue
    runs when the body ends, when the prologue fails and when the job is terminated, and cannot change the
    job's exit code. The scheduler's warning (SIGUSR1) reaches the body's process only, which ignores it until
    it says otherwise.
    """
    parts = [_HEADER]
    if request.warning_seconds:
        parts.append(_WARNING_IGNORED)
    if request.working_directory is None:
        parts.append(_HOME)
    prologue, epilogue = request.prologue.strip("\n"), request.epilogue.strip("\n")
    if epilogue.strip():
        parts.append(_EPILOGUE.format(epilogue=shlex.quote(epilogue)))
    if prologue.strip():
        parts.append(_SITE_PROFILE)
        parts.append(
            _PROLOGUE.format(
                line=PROLOGUE_FAILED_LINE,
                epilogue="clusterhub_epilogue" if epilogue.strip() else ":",
                code=PROLOGUE_FAILED,
                prologue=shlex.quote(prologue),
            )
        )
    body = request.body.rstrip("\n")
    if epilogue.strip():
        warning = _WARNING_HANDED_ON if request.warning_seconds else ""
        parts.append(_GUARDED_BODY.format(body=body, warning=warning))
    else:
        parts.append(f"{body}\n")
    return "".join(parts)
