"""What lies around the helper does not become part of it: every way to slip it a module is tried at once."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.unit.privileged.own_helper import OwnHelper

from clusterhub.privileged.archive import ISOLATED, helper_archive

# A virtual environment has no user site: without isolation, the Python that it was made from reads it.
PYTHON = str(getattr(sys, "_base_executable", sys.executable))
SITE = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
NAMES = ("clusterhub", "json", "pam", "pwd", "re", "sitecustomize", "typing", "usercustomize")


class Traps:
    """Directories with modules that leave a mark when they are imported."""

    def __init__(self, room: Path) -> None:
        self.mark = room / "mark"
        self.path = self._in(room / "path")
        self.current = self._in(room / "current")
        self.home = room / "home"
        self._in(self.home / ".local" / SITE)
        self.environment_python = room / "environment" / "bin" / "python"
        self.environment_python.parent.mkdir(parents=True)
        self.environment_python.symlink_to(PYTHON)
        (room / "environment" / "pyvenv.cfg").write_text(f"home = {Path(PYTHON).parent}\n")
        self._in(room / "environment" / SITE)

    def _in(self, directory: Path) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            (directory / f"{name}.py").write_text(f"open({str(self.mark)!r}, 'w').close()\n")
        (directory / "first.pth").write_text(f"import sys; sys.path.insert(0, {str(directory)!r})\n")
        return directory

    def set_beside(self, program: Path) -> None:
        self._in(program.parent)

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PYTHONPATH": str(self.path), "PYTHONUSERBASE": f"{self.home}/.local"}

    def run(self, *command: str, keys: tuple[str, ...] = (), text: str = "") -> str:
        return subprocess.run(
            command,
            input=text,
            env={key: value for key, value in self.environment.items() if key in keys},
            cwd=self.current,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stdout


@pytest.fixture
def traps(own_helper: OwnHelper) -> Traps:
    return Traps(own_helper.room)


@pytest.mark.parametrize(
    "trap", ["PYTHONPATH", "HOME", "PYTHONUSERBASE", "current directory", "site-packages"]
)
def test_without_isolation_each_trap_springs(own_helper: OwnHelper, traps: Traps, trap: str) -> None:
    if trap == "current directory":
        traps.run(PYTHON, "-c", "import json")
    elif trap == "site-packages":
        traps.run(str(traps.environment_python), "-I", str(own_helper.program))
    else:
        traps.run(PYTHON, str(own_helper.program), keys=(trap,))
    assert traps.mark.exists()


def test_no_module_slips_in_and_no_bytecode_is_left(own_helper: OwnHelper, traps: Traps) -> None:
    traps.set_beside(own_helper.program)
    request = json.dumps({"verb": "account", "person": own_helper.person})
    for python in (PYTHON, str(traps.environment_python)):
        command = (python, ISOLATED, str(own_helper.program), "--configuration", str(own_helper.file))
        reply = traps.run(*command, keys=tuple(traps.environment), text=request)
        assert json.loads(reply)["name"] == own_helper.person
        assert not traps.mark.exists()
    assert list(own_helper.room.rglob("*.pyc")) == []


def test_the_archive_has_our_package_and_nothing_else_at_its_top(own_helper: OwnHelper) -> None:
    """It comes before the standard library in the search for modules."""
    names = zipfile.ZipFile(own_helper.program).namelist()
    assert {name.partition("/")[0] for name in names} == {"__main__.py", "clusterhub"}


def test_bytecode_in_the_archive_is_of_its_sources_and_leaves_them_to_another_python() -> None:
    archive = zipfile.ZipFile(io.BytesIO(helper_archive(compiled=True)))
    names = archive.namelist()
    sources = [name for name in names if name.endswith(".py") and name != "__main__.py"]
    assert sorted(f"{name}c" for name in sources) == sorted(name for name in names if name.endswith(".pyc"))
    for name in sources:
        bytecode = archive.read(f"{name}c")
        assert bytecode[:4] == importlib.util.MAGIC_NUMBER
        assert bytecode[8:16] == importlib.util.source_hash(archive.read(name))


def test_the_archive_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else each upgrade would change a root-owned file for nothing."""
    first = helper_archive()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert helper_archive() == first
