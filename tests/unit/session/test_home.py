"""A home directory that cannot be written to is named, with what to do, and keeps nobody out."""

import errno
import os
from pathlib import Path

import pytest

from clusterhub.session import home


@pytest.mark.parametrize(
    ("number", "says", "advice"),
    [
        (errno.ENOSPC, "is full: nothing can be saved", "Delete files"),
        (errno.EDQUOT, "The quota of your home directory", "Delete files"),
        (errno.EROFS, "cannot be written to: Read-only file system", "operators"),
        (errno.EACCES, "cannot be written to: Permission denied", "operators"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path, number: int, says: str, advice: str) -> None:
    def fail(_home: str) -> None:
        raise OSError(number, os.strerror(number))

    problem = home.problem_of(str(tmp_path), fail)
    assert says in problem
    assert str(tmp_path) in problem
    assert advice in problem
    assert len(problem.replace(str(tmp_path), "/home/somebody")) <= 140


def test_a_home_that_is_not_there_is_said() -> None:
    assert "is not there on this node" in home.problem_of("/nowhere/alice")


def test_a_home_that_cannot_even_be_looked_at_is_said_and_keeps_nobody_out() -> None:
    """Such as one on a server of NFS that is gone (ESTALE); here its name is too long for a file system."""
    assert "cannot be written to: File name too long" in home.problem_of(f"/home/{'x' * 300}")


def test_a_good_home_is_found_good_and_left_as_it_was(tmp_path: Path) -> None:
    assert home.problem_of(str(tmp_path)) == ""
    assert not list(tmp_path.iterdir())


def test_what_the_person_has_comes_along_to_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, text in {
        ".ipython/profile_default/startup/mine.py": "x = 1",
        ".ipython/profile_default/history.sqlite": "long",
        ".local/share/jupyter/notebook_secret": "secret",
        ".jupyter/lab/workspaces/default.jupyterlab-workspace": "{}",
    }.items():
        (tmp_path / "home" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "home" / name).write_text(text)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    arguments = home.move_out(str(tmp_path / "home"), str(runtime))
    profile = Path(os.environ["IPYTHONDIR"]) / "profile_default"
    assert profile.is_relative_to(runtime)
    assert (profile / "startup" / "mine.py").read_text() == "x = 1"
    assert not (profile / "history.sqlite").exists()
    assert (runtime / "signatures" / "notebook_secret").read_text() == "secret"
    assert (runtime / "workspaces" / "default.jupyterlab-workspace").exists()
    assert f"--NotebookNotary.data_dir={runtime}/signatures" in arguments


def test_a_home_that_is_empty_or_not_there_gives_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", "/chosen")
    home.move_out(str(tmp_path / "nowhere"), str(tmp_path))
    assert os.environ["IPYTHONDIR"] == "/chosen"
