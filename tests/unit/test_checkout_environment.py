"""The environment of the checkout: when it is made, and what a person reads where it cannot be."""

from __future__ import annotations

import errno
import fcntl
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("_environment")
    for name in ("_environment", "_pip_progress", "_python"):
        sys.modules.pop(name, None)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with locks, without an environment."""
    for name in ("hub", "session", "build", "dev"):
        path = tmp_path / "requirements" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{name}==1 --hash=sha256:0\n")
    proxy = tmp_path / "src" / "clusterhub" / "hub" / "proxy"
    proxy.mkdir(parents=True)
    for path in (tmp_path / "pyproject.toml", proxy / "package.json", proxy / "package-lock.json"):
        path.write_text("{}")
    (tmp_path / "src" / "clusterhub" / "__init__.py").write_text("")
    return tmp_path


@pytest.fixture
def steps(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand-ins for venv, pip and npm: what was called, in order."""
    called: list[str] = []

    def create(environment: Path) -> None:
        called.append("create")
        (environment / "bin").mkdir()
        (environment / "bin" / "python").symlink_to(sys.executable)

    def pip(_python: str, _options: list[str], what: str, _log: Path) -> None:
        called.append(what)

    monkeypatch.setattr(script, "_create", create)
    monkeypatch.setattr(script, "_pip", pip)
    monkeypatch.setattr(script, "_install_proxy", lambda _python: called.append("proxy"))
    return called


def test_the_first_call_makes_everything_and_the_second_nothing(
    script: ModuleType, checkout: Path, steps: list[str]
) -> None:
    python = script.ensure_environment("run", root=checkout)
    assert python == checkout / ".venv" / "bin" / "python"
    assert steps == ["create", "packages of hub, session, build", "clusterhub itself", "proxy"]
    steps.clear()
    script.ensure_environment("run", root=checkout)
    assert steps == []


@pytest.mark.usefixtures("steps")
def test_other_accounts_may_enter_it_and_the_callers_umask_stays(script: ModuleType, checkout: Path) -> None:
    former = os.umask(0o077)
    try:
        script.ensure_environment("run", root=checkout)
    finally:
        assert os.umask(former) == 0o077
    for path in (checkout / ".venv", checkout / ".venv" / "bin"):
        assert path.stat().st_mode & 0o005 == 0o005


def test_the_development_kind_adds_only_what_is_missing(
    script: ModuleType, checkout: Path, steps: list[str]
) -> None:
    script.ensure_environment("run", root=checkout)
    steps.clear()
    script.ensure_environment("dev", root=checkout)
    assert steps == ["packages of dev"]
    steps.clear()
    script.ensure_environment("run", root=checkout)
    assert steps == []


def test_a_changed_lock_is_installed_again(script: ModuleType, checkout: Path, steps: list[str]) -> None:
    script.ensure_environment("run", root=checkout)
    steps.clear()
    (checkout / "requirements" / "hub.txt").write_text("hub==2 --hash=sha256:0\n")
    script.ensure_environment("run", root=checkout)
    assert steps == ["packages of hub"]


def test_an_interrupted_installation_is_made_anew(
    script: ModuleType, checkout: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_python: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(script, "_install_proxy", interrupted)
        with pytest.raises(SystemExit):
            script.ensure_environment("run", root=checkout)
    half = checkout / ".venv" / "half-written"
    half.touch()
    steps.clear()
    script.ensure_environment("run", root=checkout)
    assert steps[0] == "create"
    assert not half.exists()


def test_an_interrupted_update_is_made_anew_with_all_of_it(
    script: ModuleType, checkout: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script.ensure_environment("run", root=checkout)
    with (checkout / "requirements" / "hub.txt").open("a") as lock:
        lock.write("# another version\n")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(script, "_pip", interrupted)
        with pytest.raises(SystemExit):
            script.ensure_environment("run", root=checkout)
    steps.clear()
    script.ensure_environment("run", root=checkout)
    assert steps[:2] == ["create", "packages of hub, session, build"]


def test_a_start_waits_for_another_one_and_takes_what_that_made(
    script: ModuleType, checkout: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script.ensure_environment("run", root=checkout)
    environment = checkout / ".venv"
    whole = (environment / ".installed.json").read_text()
    (environment / ".installed.json").unlink()
    steps.clear()
    with (environment / ".installing").open() as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)

        def the_other_one_ends(line: str) -> None:
            assert "waiting for it" in line
            (environment / ".installed.json").write_text(whole)
            fcntl.flock(theirs, fcntl.LOCK_UN)

        monkeypatch.setattr(script, "say", the_other_one_ends)
        script.ensure_environment("run", root=checkout)
    assert steps == []


def test_what_is_started_meanwhile_holds_the_lock_after_us(script: ModuleType, checkout: Path) -> None:
    """Else the next start removes the files under a pip whose parent was killed."""
    environment = checkout / ".venv"
    environment.mkdir()
    with script._only_one(environment):
        child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, close_fds=False)
    with (environment / ".installing").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        child.communicate()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_environment_that_was_moved_is_made_anew(
    script: ModuleType, checkout: Path, steps: list[str]
) -> None:
    script.ensure_environment("run", root=checkout)
    record = checkout / ".venv" / ".installed.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "path": "/elsewhere/.venv"}))
    steps.clear()
    script.ensure_environment("run", root=checkout)
    assert steps[0] == "create"


def test_an_environment_whose_python_is_gone_is_made_anew(
    script: ModuleType, checkout: Path, steps: list[str]
) -> None:
    script.ensure_environment("run", root=checkout)
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3")
    steps.clear()
    script.ensure_environment("run", root=checkout)
    assert steps[0] == "create"


def test_an_environment_of_somebody_else_is_left_alone(
    script: ModuleType, checkout: Path, steps: list[str]
) -> None:
    mine = checkout / ".venv" / "pyvenv.cfg"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(SystemExit, match="was not made by this command"):
        script.ensure_environment("run", root=checkout)
    assert mine.read_text() == "mine"
    assert steps == []


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.EACCES, "no permission to write"), (errno.EROFS, "no permission"), (errno.ENOSPC, "is full")],
)
def test_a_refusal_of_the_file_system_is_one_sentence(
    script: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    def refuse(environment: Path) -> None:
        raise OSError(number, os.strerror(number), str(environment))

    monkeypatch.setattr(script, "_create", refuse)
    with pytest.raises(SystemExit, match=sentence) as caught:
        script.ensure_environment("run", root=checkout)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            # pip 23.0.1 on a machine whose resolver does not answer
            (
                "WARNING: Retrying (Retry(total=0, ...)) after connection broken by 'NewConnectionError(: "
                "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')'\n"
                "ERROR: Could not find a version that satisfies the requirement aiodns==4.0.4\n"
            ),
            "cannot be reached",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
            "is full",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n", "not the one"),
        ("ERROR: Package 'x' requires a different Python\n", "requires a different Python"),
        ("", "gave no reason"),
    ],
)
def test_the_cause_of_pips_failure_is_named(script: ModuleType, output: str, sentence: str) -> None:
    assert sentence in script._pip_cause(output)


def test_an_interpreter_in_a_closed_directory_is_not_for_others(script: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "home" / "bin" / "python3"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    for part in (*tmp_path.parents, tmp_path):
        if part.stat().st_uid == os.geteuid() and "pytest" in str(part):
            part.chmod(0o755)
    assert script.others_may_enter(program)
    (tmp_path / "home").chmod(0o700)
    assert not script.others_may_enter(program)
    link = tmp_path / "python3"
    link.symlink_to(program)
    assert not script.others_may_enter(link)


def test_an_interpreter_without_the_venv_module_is_named_with_its_remedy(
    script: ModuleType, tmp_path: Path
) -> None:
    program = tmp_path / "python3"
    answer = json.dumps([str(program), [3, 11, 2], str(tmp_path), ["ensurepip"]])
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    problem = script._probe(str(program)).problem
    assert "ensurepip" in problem
    assert "apt install python3.11-venv" in problem


def test_an_interpreter_that_is_too_old_is_named(script: ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "python3"
    answer = json.dumps([str(program), [3, 9, 18], str(tmp_path), []])
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    assert "needs Python 3.10 or newer" in script._probe(str(program)).problem
