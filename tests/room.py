"""A directory of a host of the real cluster on a small file system of its own, which can be full."""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real_cluster import RealCluster


@dataclass(frozen=True)
class SmallFileSystem:
    """A file system of one MiB that one host has at ``path``, and that belongs to ``person``."""

    cluster: RealCluster
    host: str
    path: Path
    person: str

    def run(self, *argv: str, as_root: bool = False) -> tuple[int, str]:
        """Exit code and output of a command on that host, of the person's unless ``as_root``."""
        done = self.cluster.run(self.host, list(argv), None if as_root else self.person)
        return done.returncode, done.stdout + done.stderr

    def fill(self) -> None:
        """Leaves not a byte, by a file ``big`` of the person's."""
        code, said = self.run("dd", "if=/dev/zero", f"of={self.path}/big", "bs=4k")
        assert (code, "No space left on device" in said) == (1, True), said

    def use_up_inodes(self) -> None:
        """Leaves not a file."""
        script = 'n=0; while : > "$1/file$n"; do n=$((n+1)); done 2>/dev/null'
        self.run("bash", "-c", script, "bash", str(self.path))
        code, said = self.run("touch", f"{self.path}/one-more")
        assert (code, "No space left on device" in said) == (1, True), said

    def make_read_only(self) -> None:
        """As an administrator does whose file system has errors."""
        code, said = self.run("mount", "-o", "remount,ro", str(self.path), as_root=True)
        assert code == 0, said


@contextmanager
def small_file_system(cluster: RealCluster, host: str, path: Path, person: str) -> Iterator[SmallFileSystem]:
    """One that is there for a while; what runs on it meanwhile does not keep it."""
    entry = pwd.getpwnam(person)
    options = f"size=1m,nr_inodes=64,mode=755,uid={entry.pw_uid},gid={entry.pw_gid}"
    made = cluster.run(host, ["mount", "-t", "tmpfs", "-o", options, "small", str(path)])
    assert made.returncode == 0, made.stderr
    try:
        yield SmallFileSystem(cluster, host, path, person)
    finally:
        gone = cluster.run(host, ["umount", "--lazy", str(path)])
        assert gone.returncode == 0, gone.stderr
