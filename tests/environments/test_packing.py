"""`clusterhub environment pack`: an image is whole or not there, the same each time, gone with its version.

Each fails where its protection is taken out: written in its place, a cut image counts; with the time of day
in it, two differ.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.environments.packages import wheel
from tests.environments.site_of_versions import Versions

MOUNT = "/bin/mount"


@pytest.fixture
def image(versions: Versions) -> Path:
    """Where the image of the only version, `first`, will lie."""
    wheel(versions.wheels, "small", "1", {"small.py": "VERSION = 1\n", "small.bin": os.urandom(2**17)})
    versions.build("small", name="first")
    return versions.directory / ".packed" / "first.squashfs"


def listed(versions: Versions) -> dict[str, object]:
    """The version, as the list has it."""
    (row,) = json.loads(versions.run("list", "--json").stdout)
    return dict(row)


def test_the_same_version_gives_the_same_image_which_is_written_down(versions: Versions, image: Path) -> None:
    assert listed(versions)["image_bytes"] is None
    done = versions.run("pack", "first")
    assert done.returncode == 0, done.stderr
    first = image.read_bytes()
    assert listed(versions)["image_bytes"] == len(first)
    assert image.stat().st_mode & 0o777 == 0o444
    again = versions.run("pack", "first")
    assert "packed already, and its image is whole" in again.stdout
    image.unlink()
    assert versions.run("pack", "first").returncode == 0
    assert image.read_bytes() == first


def test_a_damaged_image_is_made_anew(versions: Versions, image: Path) -> None:
    versions.run("pack", "first")
    whole = image.read_bytes()
    image.chmod(0o644)
    image.write_bytes(bytes(len(whole)))
    assert "already" not in versions.run("pack", "first").stdout
    assert image.read_bytes() == whole


def test_the_image_goes_with_its_version(versions: Versions, image: Path) -> None:
    versions.run("pack", "first")
    assert versions.run("remove", "--force", "first").returncode == 0
    assert not image.exists()
    assert list(image.parent.glob("first*")) == []


def test_packing_that_is_killed_leaves_no_image(
    versions: Versions, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stand-in for a version so large that packing it takes its time: it writes, then waits.
    slow = versions.path / "slow"
    slow.mkdir()
    (slow / "mksquashfs").write_text('#!/bin/sh\necho cut > "$2"\nexec sleep 60\n')
    (slow / "mksquashfs").chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{slow}{os.pathsep}{os.environ['PATH']}")
        packing = subprocess.Popen(versions.argv("pack", "first"), start_new_session=True)
        scratch = image.with_name(f".{image.name}.new")
        while not scratch.exists():
            assert packing.poll() is None
            time.sleep(0.02)
        busy = versions.run("pack", "first")
        assert "is being packed right now" in busy.stderr
        os.killpg(packing.pid, signal.SIGKILL)
        packing.wait()
    assert listed(versions)["image_bytes"] is None
    assert versions.run("pack", "first").returncode == 0
    assert sorted(each.name for each in image.parent.iterdir()) == [".lock", "first.json", "first.squashfs"]


def test_a_full_disk_and_a_machine_without_the_program_are_told(
    versions: Versions, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image.parent.mkdir()
    subprocess.run([MOUNT, "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(image.parent)], check=True)
    try:
        done = versions.run("pack", "first")
        assert done.returncode == 1
        assert "The disk is full" in done.stderr
        assert not image.exists()
    finally:
        subprocess.run(["/bin/umount", str(image.parent)], check=True)
    monkeypatch.setenv("PATH", "/nowhere")
    done = versions.run("pack", "first")
    assert "There is no mksquashfs on this machine" in done.stderr
    assert "apt install squashfs-tools" in done.stderr


def test_what_was_adopted_is_not_packed(versions: Versions, image: Path) -> None:
    link = image.parent.parent / "other"
    link.symlink_to("/usr")
    (image.parent.parent / ".adopted").mkdir()
    manifest = image.parent.parent / "first" / "clusterhub" / "manifest.json"
    (image.parent.parent / ".adopted" / "other.json").write_text(manifest.read_text())
    done = versions.run("pack", "other")
    assert "was adopted" in done.stderr
    assert "Build a version" in done.stderr
