"""Starting a job's script."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from clusterhub.schedulers.local_engine.records import Record

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def start_script(script: Path, record: Record, blocked: Iterable[signal.Signals]) -> subprocess.Popen[bytes]:
    """Run the script in a session of its own, below this process for good, and killed when this one is.

    ``blocked`` are the signals that this process blocks and the script must get. Raises OSError.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor = os.getpid()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(1)

    log = Path(record.output)
    log.parent.mkdir(parents=True, exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        return subprocess.Popen(
            ["/bin/bash", str(script)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory_to_start_in(record.chdir),
            env=environment(record),
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - there is one thread only
        )
    finally:
        os.close(output)


def directory_to_start_in(asked: str | None) -> str:
    """The directory asked for, or / where it is not there; the script itself goes home where none is
    asked."""
    return asked if asked and os.access(asked, os.X_OK) and Path(asked).is_dir() else "/"


def environment(record: Record) -> dict[str, str]:
    """A clean environment: nothing of the submitter's comes along."""
    variables = {"PATH": PATH, "LANG": os.environ.get("LANG", "C.UTF-8"), "CLUSTERHUB_RESTART": "0"}
    try:
        account = pwd.getpwuid(os.getuid())
    except KeyError:
        variables["HOME"] = os.environ.get("HOME", "/")
    else:
        name = account.pw_name
        variables |= {"HOME": account.pw_dir, "USER": name, "LOGNAME": name}
        variables["SHELL"] = account.pw_shell or "/bin/sh"
    return variables | record.marks()
