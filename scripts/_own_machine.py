"""Run a command as if on a machine of its own, so that two test clusters do not meet.

    python3 _own_machine.py [--control-groups] COMMAND...

The command has its own process ids, and it sees users, homes and the rest of `OWN` as they are, but what it
changes there is seen by itself alone and is gone with it. Everything else is the machine's: programs, the
cache, ``/tmp``, the network, on which a test cluster has namespaces of its own anyway. Needs root.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

OWN = ("/etc", "/home", "/shared", "/var/lib")

RUN = Path("/run")
"""Empty at first: what lies there belongs to daemons of the machine."""

CONTROL_GROUPS = "--control-groups"
"""Only one machine can have the control groups, as nodes of two clusters have the same names."""


def as_own_machine(command: list[str], *, control_groups: bool) -> list[str]:
    """The command that runs ``command`` there. When the first process of it ends, all others do."""
    own = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    options = [CONTROL_GROUPS] if control_groups else []
    return [*own, sys.executable, __file__, *options, *command]


def _mount(*arguments: str) -> None:
    subprocess.run(["/usr/bin/mount", *arguments], check=True)


def _empty(directory: Path) -> None:
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(directory))


def _make_own(*, control_groups: bool) -> None:
    """Hide what belongs to the machine; all within our own mount namespace."""
    _mount("--make-rprivate", "/")
    _empty(RUN)
    (RUN / "lock").mkdir(mode=0o1777)
    (RUN / "changes").mkdir(mode=0o700)
    for directory in OWN:
        Path(directory).mkdir(exist_ok=True)
        layers = {"lowerdir": Path(directory)}
        for name in ("upperdir", "workdir"):
            layers[name] = RUN / "changes" / directory.strip("/").replace("/", "-") / name
            layers[name].mkdir(parents=True)
        options = ",".join(f"{name}={path}" for name, path in layers.items())
        _mount("-t", "overlay", "-o", options, "overlay", directory)
    freezer = Path("/sys/fs/cgroup/freezer")
    if not control_groups and freezer.is_dir():
        _empty(freezer)


def _wait_for(command: subprocess.Popen[bytes]) -> int:
    """The command's exit code; meanwhile, as the first process, reaps those whose parents are gone."""
    while True:
        pid, status = os.wait()
        if pid == command.pid:
            return os.waitstatus_to_exitcode(status)


def main() -> int:
    """The exit code of the command."""
    command = sys.argv[1:]
    control_groups = command[:1] == [CONTROL_GROUPS]
    if control_groups:
        del command[0]
    _make_own(control_groups=control_groups)
    started = subprocess.Popen(command)
    # An interrupt is for the command, which gets it as well, and has to tidy up.
    signal.signal(signal.SIGINT, lambda *_: None)
    return _wait_for(started) % 256


if __name__ == "__main__":
    sys.exit(main())
