"""Builds of small packages, with the real uv, and everything that can end one too early.

Each fails where its protection is taken out: where an unfinished version counts as one, after a kill, a full
disk and an interrupt; where nothing is sealed, the modes tell; where the way to the interpreter is not looked
at, the private one is taken.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.environments.packages import python_to_fetch, slow_source, wheel
from tests.environments.site_of_versions import Versions
from tests.real_cluster import processes

MIB = 2**20
MOUNT = "/bin/mount"
AS_NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}
PYTHON_ITSELF = Path("/usr/bin/python3").resolve()


@pytest.fixture
def active(versions: Versions) -> str:
    """A version that is active already: whatever happens to another, it stays so."""
    wheel(versions.wheels, "small", "1", {"small.py": "VERSION = 1\n"})
    versions.build("small", name="before")
    versions.activate("before")
    return "before"


def unfinished(versions: Versions, name: str) -> bool:
    """Whether the list says so, and nobody can activate it."""
    rows = json.loads(versions.run("list", "--json").stdout)
    (row,) = [row for row in rows if row["name"] == name]
    refused = versions.run("activate", "--unchecked", name)
    return not row["finished"] and refused.returncode == 1 and "is unfinished" in refused.stderr


def test_a_version_is_locked_compiled_sealed_and_written_down(versions: Versions) -> None:
    wheel(versions.wheels, "base", "1.5", {"base.py": ""})
    wheel(versions.wheels, "small", "1", {"small.py": "import base\n"}, requires="base>=1")
    versions.build("small", name="first")
    version = versions.directory / "first"
    manifest = json.loads((version / "clusterhub" / "manifest.json").read_text())
    assert [(each["name"], each["version"]) for each in manifest["packages"]] == [
        ("base", "1.5"),
        ("small", "1"),
    ]
    lock = (version / "clusterhub" / "lock.txt").read_text()
    assert lock.count("--hash=sha256:") == 2
    assert str(versions.wheels) not in lock
    files = [path for path in version.rglob("*") if not path.is_dir() or path.is_symlink()]
    assert manifest["files"] == len(files) - 1, "all but the manifest itself"
    assert list(version.glob("lib/python3*/site-packages/__pycache__/small.*.pyc"))
    modes = [path.lstat().st_mode for path in (version, *version.rglob("*")) if not path.is_symlink()]
    assert [oct(mode) for mode in modes if mode & 0o222] == []
    done = subprocess.run(
        [version / "bin" / "python3", "-I", "-c", "import small, sys; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
        **AS_NOBODY,
    )
    assert done.stdout.strip() == str(version)


def test_a_kernel_has_packages_of_its_own(versions: Versions) -> None:
    wheel(
        versions.wheels,
        "ipykernel",
        "6.30",
        {"ipykernel_launcher.py": "import small; print(small.VERSION)\n"},
    )
    for number in (1, 2):
        wheel(versions.wheels, "small", str(number), {"small.py": f"VERSION = {number}\n"})
    path = versions.specification("small==2")
    path.write_text(path.read_text() + '[kernel.old]\ntitle = "Old"\npackages = ["small==1"]\n')
    assert versions.run("build", "--name", "first", path).returncode == 0
    spec = json.loads((versions.directory / "first/share/jupyter/kernels/old/kernel.json").read_text())
    assert spec["display_name"] == "Old"
    argv = spec["argv"][: spec["argv"].index("-f")]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "1\n"


def test_a_python_that_is_given_by_its_version_lies_inside(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [PYTHON_ITSELF, "-c", "import platform; print(platform.python_version())"]
    number = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    found = python_to_fetch(versions.path, PYTHON_ITSELF, number)
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(found))
    wheel(versions.wheels, "small", "1", {"small.py": "VERSION = 1\n"})
    short = ".".join(number.split(".")[:2])
    path = versions.specification("small", python=short)
    done = versions.run("build", "--name", "first", path)
    assert done.returncode == 0, done.stderr
    version = versions.directory / "first"
    asked = [version / "bin" / "python3", "-I", "-c", "import small, json, sys; print(json.__file__)"]
    where = subprocess.run(asked, capture_output=True, text=True, check=True, **AS_NOBODY).stdout
    assert where.startswith(f"{version}/python/cpython-{number}-")
    assert list(version.glob("python/*/lib/python3*/json/__pycache__/*.pyc"))
    assert [path.name for path in (version / "python").iterdir() if path.name.startswith(".")] == []


def test_two_versions_are_compared_listed_and_removed(versions: Versions, active: str) -> None:
    wheel(versions.wheels, "small", "2", {"small.py": "VERSION = 2\n"})
    versions.build("small", name="after")
    assert versions.run("diff", active, "after").stdout == "~ small 1 -> 2\n"
    versions.activate("after")
    assert versions.run("remove", "--force", "after").returncode == 1
    assert versions.run("rollback").returncode == 0
    assert versions.active == active
    assert versions.run("remove", "--force", "after").returncode == 0
    assert not (versions.directory / "after").exists()
    assert [row["name"] for row in json.loads(versions.run("list", "--json").stdout)] == [active]


@pytest.mark.usefixtures("active")
def test_without_a_site_nobody_can_tell_what_is_in_use_so_nothing_is_removed(versions: Versions) -> None:
    versions.build("small", name="after")
    done = versions.run("remove", "--site", "/nowhere/site.toml", "after")
    assert done.returncode == 1
    assert (versions.directory / "after" / "bin" / "python3").exists()
    assert "?" in versions.run("list", "--site", "/nowhere/site.toml").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_leaves_the_active_version_and_is_gone_on_with(
    versions: Versions, active: str, number: signal.Signals
) -> None:
    begun, go_on = versions.path / "begun", versions.path / "go-on"
    slow_source(versions.wheels, begun, go_on)
    path = versions.specification("small", "slow")
    with subprocess.Popen(
        versions.argv("build", "--name", "next", path), stderr=subprocess.PIPE, text=True
    ) as build:
        assert processes.wait_until(begun.exists, 60, pause=0.05)
        busy = versions.run("build", path)
        assert "is being built right now" in busy.stderr
        build.send_signal(number)
        _, said = build.communicate(timeout=60)
    assert build.returncode != 0
    assert ("Interrupted. What is active is as it was." in said) == (number == signal.SIGINT)
    assert unfinished(versions, "next")
    assert versions.active == active
    go_on.touch()  # uv of a killed build ends as well, and with it its hold on the version
    done = versions.run("build", path)
    while "is being built right now" in done.stderr:
        done = versions.run("build", path)
    assert done.returncode == 0, done.stderr
    assert "going on where an earlier build ended" in done.stderr
    rows = json.loads(versions.run("list", "--json").stdout)
    assert {row["name"]: row["finished"] for row in rows} == {"next": True, active: True}


@pytest.mark.usefixtures("active")
def test_a_build_that_goes_on_keeps_what_had_been_pinned(versions: Versions) -> None:
    wheel(versions.wheels, "plain", "1", {"plain.py": ""})
    path = versions.specification("small", extensions=("plain",))
    refused = versions.run("build", "--name", "next", path)
    assert refused.returncode == 1
    assert "package plain was asked for as an extension" in refused.stderr
    wheel(versions.wheels, "small", "9", {"small.py": ""})
    extension = {"plain-1.data/data/etc/jupyter/jupyter_server_config.d/plain.json": "{}"}
    again = versions.run("build", path)
    assert "going on where an earlier build ended" in again.stderr
    lock = (versions.directory / ".building" / "next" / "lock.txt").read_text()
    assert "small==1" in lock
    wheel(versions.wheels, "plain", "1", extension)
    anew = versions.run("build", "--anew", "--name", "next", path)
    assert anew.returncode == 0, anew.stderr
    assert "small==9" in (versions.directory / "next" / "clusterhub" / "lock.txt").read_text()


@pytest.fixture
def small_disk(versions: Versions) -> Iterator[Path]:
    """The versions lie on a disk of 24 MiB."""
    versions.directory.mkdir(exist_ok=True)
    subprocess.run([MOUNT, "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", versions.directory], check=True)
    yield versions.directory
    subprocess.run(["/bin/umount", versions.directory], check=True)


def test_a_full_disk_leaves_the_active_version_and_the_build_goes_on_once_there_is_room(
    small_disk: Path, versions: Versions, active: str
) -> None:
    wheel(versions.wheels, "large", "1", {"large.bin": os.urandom(32 * MIB)})
    path = versions.specification("small", "large")
    done = versions.run("build", "--name", "next", path)
    assert done.returncode == 1
    assert "The disk is full" in done.stderr
    assert versions.active == active
    assert (
        subprocess.run([small_disk / "current/bin/python3", "-c", "import small"], check=False).returncode
        == 0
    )
    assert unfinished(versions, "next")
    subprocess.run([MOUNT, "-o", "remount,size=100m", small_disk], check=True)
    assert versions.run("build", path).returncode == 0
    versions.activate("next")


@pytest.mark.parametrize("behind", ["directly", "a link", "a venv"])
def test_an_interpreter_that_others_cannot_reach_is_refused(versions: Versions, behind: str) -> None:
    home = versions.path / "home"
    (home / "python" / "bin").mkdir(parents=True)
    shutil.copy(PYTHON_ITSELF, home / "python" / "bin" / "python3")
    python = home / "python" / "bin" / "python3"
    if behind == "a link":
        python = versions.path / "python3"
        python.symlink_to("home/python/bin/python3")
    elif behind == "a venv":
        made = [home / "python" / "bin" / "python3", "-m", "venv", "--without-pip", versions.path / "venv"]
        subprocess.run(made, check=True)
        python = versions.path / "venv" / "bin" / "python3"
    home.chmod(stat.S_IRWXU)
    done = versions.run("build", "--name", "first", versions.specification(python=str(python)))
    assert done.returncode == 1
    assert "other accounts cannot enter this directory" in done.stderr
    assert f"where: {home}\n" in done.stderr
    assert f"chmod o+x {home}" in done.stderr
    assert versions.active == ""


def test_a_directory_that_others_cannot_reach_is_refused_before_anything_is_built(versions: Versions) -> None:
    versions.path.chmod(0o750)
    done = versions.run("build", versions.specification())
    assert done.returncode == 1
    assert f"chmod o+x {versions.path}" in done.stderr


def test_packages_that_are_not_to_be_had_are_named(versions: Versions) -> None:
    done = versions.run("build", versions.specification("missing"))
    assert done.returncode == 1
    assert "do not go together, or some of them are not to be had" in done.stderr
    assert "missing" in done.stderr


def test_without_uv_it_is_said_how_to_get_it(versions: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = versions.run("build", versions.specification())
    assert done.returncode == 1
    assert f"{sys.executable} -m pip install 'clusterhub[environments]'" in done.stderr
