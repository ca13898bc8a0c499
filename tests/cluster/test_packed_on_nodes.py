"""Each way to read a packed version, on the real nodes, as an ordinary person: what is tried, what is left.

Sessions go the same way; here a few lines take the place of Jupyter. Each fails where its protection is taken
out of packed.sh: without the look at the owner somebody else's directory is used, without the lock both
unpack, without the look at the size a cut image is mounted, without the parent's death squashfuse stays.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.environments.versions_to_pack import small_version
from tests.real_cluster import RealCluster, processes

from clusterhub.environments.packing import image_path
from clusterhub.environments.versions import Environments
from clusterhub.site.sessions import Environment
from clusterhub.spawner.job_request import packed

LOOK = """\
import json, os, sys
print(json.dumps({
    "prefix": sys.prefix,
    "packed": not os.path.exists(sys.prefix + "/bin/only-in-the-directory"),
    "way": os.environ["CLUSTERHUB_ENVIRONMENT_WAY"],
    "copy": os.environ.get("CLUSTERHUB_UNPACKED", ""),
    "account": [os.getuid(), os.stat(os.path.expanduser("~")).st_uid == os.getuid()],
    "capable": open("/proc/self/status").read().split("CapEff:")[1].split()[0].strip("0"),
}), flush=True)
sys.stdin.readline()
"""
TMP = "/tmp"  # noqa: S108 - the node's own
NO_FUSE = "umount /dev/fuse"
FUSE = "mount --bind /run/fuse /dev/fuse"


@dataclass(frozen=True)
class Node:
    """The first node, and a packed version that it sees."""

    cluster: RealCluster
    environments: Environments

    @property
    def version(self) -> Path:
        """The version's directory."""
        return self.environments.directory / "small"

    def run(self, script: str) -> str:
        """What root has done there."""
        done = self.cluster.run("n1", ["/bin/sh", "-ec", script])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, person: str = "alice", program: str = LOOK, **settings: object) -> subprocess.Popen[str]:
        """A session's beginning, as the job script has it; it ends when it reads a line."""
        site = Environment.model_validate({"path": str(self.version), **settings})
        lines = [f"python={self.version}/bin/python3", *packed(site)]
        script = "\n".join([*lines, 'exec "${clusterhub_enter[@]}" "$python" -I -c "$1"'])
        argv = self.cluster.argv("n1", ["/bin/bash", "-c", script, "job", program], person)
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(argv, text=True, **pipes)

    def look(self, person: str = "alice", **settings: object) -> tuple[dict[str, Any], str]:
        """What such a session saw, and what its log says."""
        out, log = self.start(person, **settings).communicate("\n", timeout=60)
        assert out, log
        seen: dict[str, Any] = json.loads(out)
        assert f"way of: {seen['way']}" in log
        return seen, log

    def left(self) -> tuple[int, str]:
        """How many mounts of FUSE the node's processes have, and which processes serve some."""
        mounts = self.run("cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -c ' - fuse' || true")
        return int(mounts), self.run("pgrep -l squashfuse || true")


@pytest.fixture(scope="module")
def node(cluster: RealCluster) -> Iterator[Node]:
    """The node, and the version."""
    directory = cluster.data / "packed"
    environments = small_version(directory, "small")
    yield Node(cluster, environments)
    shutil.rmtree(directory)


@pytest.fixture
def no_fuse(node: Node) -> Iterator[None]:
    """People may not open /dev/fuse there."""
    node.run(NO_FUSE)
    yield
    node.run(FUSE)


def test_a_person_mounts_it_where_it_lies_and_a_kill_leaves_nothing(node: Node) -> None:
    session = node.start()
    assert session.stdout is not None
    seen = json.loads(session.stdout.readline())
    uid = os.stat(node.cluster.people["alice"].home).st_uid  # noqa: PTH116 - as short as this
    assert (seen["way"], seen["prefix"], seen["packed"]) == ("squashfuse", str(node.version), True)
    assert seen["account"] == [uid, True]
    assert seen["capable"] == "", "what runs there has no rights that its person has not"
    mounts, serving = node.left()
    assert mounts > 0
    assert "squashfuse" in serving
    assert (node.version / "bin" / "only-in-the-directory").exists(), "only the session sees the image"
    node.run("pkill -KILL -u alice -x python3")
    assert processes.wait_until(lambda: node.left() == (0, ""), 10)
    session.communicate()


@pytest.mark.usefixtures("no_fuse")
def test_without_fuse_two_sessions_unpack_one_copy_which_the_last_takes_away(node: Node) -> None:
    module = Path(__file__).parents[2] / "src/clusterhub/session/unpacked.py"
    program = f"{module.read_text()}\nremove_at_end()\n{LOOK}"
    first, second = (node.start("alice", program, node_directory=TMP) for _ in range(2))
    for session in (first, second):
        assert session.stdout is not None
        seen = json.loads(session.stdout.readline())
        assert (seen["way"], seen["prefix"], seen["packed"]) == ("unpacked", str(node.version), True)
        assert seen["capable"] == ""
    copies = "ls -d /tmp/clusterhub-*/small-*[0-9] | wc -l; stat -c %a /tmp/clusterhub-*"
    assert node.run(copies).split() == ["1", "700"]
    first.communicate("\n", timeout=30)
    assert node.run(copies).split() == ["1", "700"], "the other one reads it"
    second.communicate("\n", timeout=30)
    assert node.run("ls -A /tmp/clusterhub-*/ | grep -v lock$ || true") == ""


@pytest.mark.usefixtures("no_fuse")
def test_a_copy_that_a_killed_session_left_goes_with_the_next_version(node: Node) -> None:
    own = f"{TMP}/clusterhub-{node.run('id -u alice').strip()}"
    seen, _ = node.look(node_directory=TMP)
    assert seen["copy"].endswith(node.run(f"ls -d {own}/small-*[0-9]").strip())
    as_alice = "setpriv --reuid alice --regid alice --clear-groups"
    node.run(f"{as_alice} mkdir {own}/old {own}/old.partial; {as_alice} touch {own}/old.lock")
    node.look(node_directory=TMP)
    assert "old\n" not in node.run(f"ls {own}")
    assert "partial" not in node.run(f"ls {own}")


@pytest.mark.usefixtures("no_fuse")
def test_without_namespaces_the_copy_is_read_where_it_lies(node: Node) -> None:
    # A fake: what unshare says where they are forbidden, which a container may not do to its machine.
    node.run(
        "echo 'echo unshare: unshare failed: No space left on device >&2; exit 1' > /run/unshare\n"
        "sed -i '1i #!/bin/sh' /run/unshare; chmod 755 /run/unshare\n"
        "mount --bind /run/unshare /usr/bin/unshare"
    )
    try:
        seen, log = node.look(node_directory=TMP)
    finally:
        node.run("umount /usr/bin/unshare")
    assert (seen["way"], seen["packed"]) == ("unpacked", True)
    assert seen["prefix"].startswith(f"{TMP}/clusterhub-")
    assert "under another path: unshare: unshare failed: No space left on device" in log


@pytest.mark.usefixtures("no_fuse")
def test_a_full_disk_of_the_node_leaves_the_directory(node: Node) -> None:
    node.run("mkdir -p /run/full && mount -t tmpfs -o size=64k,mode=1777 tmpfs /run/full")
    try:
        seen, log = node.look(node_directory="/run/full")
        left = node.run("find /run/full -name 'small-*' ! -name '*.lock'")
    finally:
        node.run("umount /run/full")
    assert (seen["way"], seen["prefix"], seen["packed"]) == ("directory", str(node.version), False)
    assert "not unpacked: no room for" in log
    assert left == ""


@pytest.mark.usefixtures("no_fuse")
def test_memory_is_taken_only_where_the_operator_says_so(node: Node) -> None:
    seen, log = node.look("carol")
    assert seen["way"] == "directory"
    assert f"{TMP} is memory" in log


@pytest.mark.usefixtures("no_fuse")
def test_what_others_can_write_to_is_not_trusted(node: Node) -> None:
    uid = node.run("id -u bob").strip()
    own = f"/run/local/clusterhub-{uid}"
    node.run(f"install -d -m 1777 /run/local; install -d -m 777 -o alice {own}")
    seen, log = node.look("bob", node_directory="/run/local")
    assert seen["way"] == "directory"
    assert "that only this person can open" in log
    node.run(f"rmdir {own}; ln -s /home/bob {own}; chmod 700 /home/bob")
    assert node.look("bob", node_directory="/run/local")[0]["way"] == "directory"
    node.run(f"rm {own}; chmod 777 /run/local")
    assert node.look("bob", node_directory="/run/local")[0]["way"] == "directory", "it could be exchanged"


def test_a_damaged_image_is_not_read(node: Node) -> None:
    image = image_path(node.environments, "small")
    whole = image.read_bytes()
    try:
        image.chmod(0o644)
        image.write_bytes(whole[: len(whole) // 2])
        seen, log = node.look()
        assert (seen["way"], seen["packed"]) == ("directory", False)
        assert "is damaged" in log
        image.write_bytes(bytes(4096) + whole[4096:])
        seen, log = node.look(node_directory=TMP)
        assert (seen["way"], seen["packed"]) == ("directory", False)
        assert "could not mount" in log
        assert "not unpacked" in log
    finally:
        image.write_bytes(whole)
        image.chmod(0o444)
    assert node.left() == (0, "")


def test_what_the_node_has_mounted_is_used(node: Node) -> None:
    image = image_path(node.environments, "small")
    node.run(f"mkdir -p /run/images/small && mount -t squashfs -o loop,ro {image} /run/images/small")
    try:
        seen, _ = node.look(node_mounts="/run/images")
        assert (seen["way"], seen["prefix"], seen["packed"]) == ("mounted", str(node.version), True)
    finally:
        node.run("umount /run/images/small")
    seen, log = node.look(node_mounts="/run/images")
    assert seen["way"] == "squashfuse"
    assert "not mounted: nothing is mounted at /run/images/small" in log
    node.run(f"mount -t squashfs -o loop,ro {image} {node.version}")
    try:
        seen, _ = node.look()
        assert (seen["way"], seen["packed"]) == ("mounted", True)
    finally:
        node.run(f"umount {node.version}")


def test_whoever_may_mount_has_the_kernel_do_it(node: Node) -> None:
    seen, _ = node.look("root")
    assert (seen["way"], seen["prefix"], seen["packed"]) == ("kernel", str(node.version), True)
    assert "small" not in node.run("losetup --list")
