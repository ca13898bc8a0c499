"""What the benchmark of files counts in what strace 6.1 writes.

It counts too much where a mount is not seen by those who are in its namespace, too little where it is seen by
all.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HOME, VERSION = "/home/alice", "/shared/environments/one"

SHELL = """\
100 openat(AT_FDCWD</home/alice>, "/shared/environments/.packed/one.json", O_RDONLY) = 3</shared/one.json>
100 newfstatat(AT_FDCWD</home/alice>, "notes", 0x7ffd, 0) = -1 ENOENT (No such file or directory)
100 newfstatat(3</shared/environments/one>, "", {st_mode=S_IFREG}, AT_EMPTY_PATH) = 0
100 getcwd("/home/alice", 4096) = 12
100 execve("/usr/bin/sleep", ["sleep"], 0x55 /* 3 vars */) = 0
101 unshare(CLONE_NEWNS|CLONE_NEWUSER) = 0
101 readlink("/shared/environments/one", 0x7ffd, 1023) = -1 EINVAL (Invalid argument)
101 mount("squashfuse_ll", "/shared/environments/one", "fuse.squashfuse_ll", MS_RDONLY, "fd=4") = 0
100 access("/shared/environments/one/bin/python3", X_OK) = 0
100 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD <unfinished ...>
100 <... clone resumed>, child_tidptr=0x7f) = 101
100 setns(4</proc/101/ns/mnt>, CLONE_NEWNS) = 0
102 openat(AT_FDCWD</home/alice>, "/shared/environments/one/lib/os.py", O_RDONLY) = 3</shared/os.py>
100 clone3({flags=CLONE_VM}, 88) = 102
100 openat(AT_FDCWD</>, "/shared/environments/one/lib/io.py", O_RDONLY <unfinished ...>
100 <... openat resumed>) = 3</shared/io.py>
100 getdents64(5</home/alice/.jupyter>, 0x55 /* 3 entries */, 32768) = 80
"""


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is counted."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    sys.modules.pop("_traces", None)
    from _traces import Trace

    trace = Trace(("/shared/environments", HOME), VERSION)
    trace.read(SHELL.splitlines())
    return trace.operations


def test_what_reaches_the_shared_file_systems_is_counted_and_what_is_below_a_mount_is_not(
    operations: list[str],
) -> None:
    assert operations == [
        "openat /shared/environments/.packed/one.json",
        "newfstatat /home/alice/notes",
        "readlink /shared/environments/one",
        "access /shared/environments/one/bin/python3",
        "getdents64 /home/alice/.jupyter",
    ]
