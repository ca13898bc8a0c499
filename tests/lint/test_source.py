"""What may be committed."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 1024 * 1024
EMPTY_WORDS = {"utils", "util", "helpers", "manager", "managers", "common", "misc"}

# Put together here so that this file does not find itself.
REGISTRIES = tuple(f"{name}.{end}" for name in ("pypi", "pythonhosted", "npmjs") for end in ("org", "com"))
ADDRESS_IN_LOCK = re.compile(rb"https?://")


def committed_files() -> list[Path]:
    """What git would commit; without git, all that is not ignored by name."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    command += ["--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode == 0:
        files = [ROOT / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    else:
        files = [path for path in ROOT.rglob("*") if not is_by_product(path)]
    return sorted(path for path in files if path.is_file() and not path.is_symlink())


FILES = committed_files()


def is_by_product(path: Path) -> bool:
    """Whether a tool made it: caches and environments, by their names."""
    parts = path.relative_to(ROOT).parts
    return any(part == "__pycache__" or (part.startswith(".") and part != ".ci") for part in parts)


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def python_files() -> list[Path]:
    return [path for path in FILES if path.suffix == ".py"]


def test_no_file_names_a_package_registry() -> None:
    found = [path for path in FILES if any(host.encode() in path.read_bytes() for host in REGISTRIES)]
    assert names(found) == []


def test_no_file_holds_a_path_of_a_machine_it_was_written_on() -> None:
    homes = (b"/root/" + b".pyenv", b"/work/" + b"main", b"/opt/" + b"pypi")
    found = [path for path in FILES if any(home in path.read_bytes() for home in homes)]
    assert names(found) == []


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_every_package_in_a_lock_has_a_hash_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    packages = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert packages
    without = [package.partition("\n")[0] for package in packages if "--hash=sha256:" not in package]
    assert without == []
    assert not ADDRESS_IN_LOCK.search(text.encode())
    assert not re.search(r"^-", text, re.MULTILINE), "options such as --index-url bind a lock to one registry"


@pytest.mark.parametrize("source", sorted((ROOT / "requirements").glob("*.in")), ids=lambda path: path.name)
def test_a_lock_pins_everything_that_its_source_names(source: Path) -> None:
    lines = [line.partition("#")[0].strip() for line in source.read_text().splitlines()]
    wanted = {re.split(r"[<>=;!~\[ ]", line)[0].lower() for line in lines if line}
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)==", source.with_suffix(".txt").read_text(), re.MULTILINE))
    assert wanted <= pinned


@pytest.mark.parametrize(("key", "lock"), [("dependencies", "hub.in"), ("session", "session.in")])
def test_what_the_package_depends_on_is_what_we_lock(key: str, lock: str) -> None:
    """pyproject.toml says what users get, requirements/ what we lock; they must not part."""
    project = (ROOT / "pyproject.toml").read_text()
    block = re.search(rf"^{key} = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert block
    declared = set(re.findall(r'^ *"(.+)",$', block[1], re.MULTILINE))
    lines = (ROOT / "requirements" / lock).read_text().splitlines()
    assert declared == {line for line in lines if line and not line.startswith("#")}


def test_the_lock_of_the_proxy_has_hashes_and_no_addresses() -> None:
    room = ROOT / "src" / "clusterhub" / "hub" / "proxy"
    packages = json.loads((room / "package-lock.json").read_text())["packages"]
    others = {name: package for name, package in packages.items() if name}
    assert others
    assert [name for name, package in others.items() if "integrity" not in package] == []
    assert [name for name, package in others.items() if "resolved" in package] == []


def calls_of_a_shell(text: str) -> list[int]:
    """The lines that hand a string to a shell."""
    lines = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        shell = next((word.value for word in node.keywords if word.arg == "shell"), None)
        wants_shell = shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False)
        if called in SHELLS or (called in STARTERS and wants_shell):
            lines.append(node.lineno)
    return lines


STARTERS = {"run", "Popen", "call", "check_call", "check_output"}
SHELLS = {"create_subprocess_shell", "getoutput", "getstatusoutput"}


def test_no_command_goes_through_a_shell() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{n}" for path in python_files() for n in calls_of_a_shell(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "subprocess.run('ls', shell=True)",
        "Popen(x, shell=wanted)",
        "await asyncio.create_subprocess_shell('ls')",
        "subprocess.getoutput('ls')",
    ],
)
def test_a_call_of_a_shell_is_found(text: str) -> None:
    assert calls_of_a_shell(f"async def f():\n    {text}") == [2]


def test_no_file_is_larger_than_a_mebibyte() -> None:
    assert names([path for path in FILES if path.stat().st_size > LARGEST]) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert names([path for path in python_files() if path.stem in EMPTY_WORDS]) == []


def test_commands_can_be_executed_and_say_what_they_are() -> None:
    commands = [path for path in FILES if path.parent == ROOT / "scripts" and not path.suffix]
    commands.append(ROOT / ".ci" / "run")
    for path in commands:
        assert os.access(path, os.X_OK), path
        assert path.read_text().startswith("#!/usr/bin/env "), path
