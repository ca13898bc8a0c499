"""What Jupyter looks up in a start, counted.

Where nothing is kept, the first test counts a look for each question. The second fails where every language
server is looked for.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest

from clusterhub.session import lookups


def test_the_home_directory_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_core import paths

    looks = []

    def get_home_dir() -> str:
        looks.append("look")
        return "/home/alice"

    for name in lookups.OF_JUPYTER:
        monkeypatch.setattr(paths, name, getattr(paths, name))
    monkeypatch.setattr(paths, "get_home_dir", get_home_dir)
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    lookups.look_once()
    found = {paths.jupyter_config_dir() for _ in range(3)}
    assert found == {"/home/alice/.jupyter"}
    assert looks == ["look"]


def test_directories_on_the_way_are_looked_at_once_until_the_start_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    look = os.lstat

    def counted(path: str, **options: int) -> os.stat_result:
        looks.append(str(path))
        return look(path, **options)

    monkeypatch.setattr(os, "lstat", counted)
    monkeypatch.setattr(lookups, "posix", types.SimpleNamespace(lstat=counted))
    directory, other = tmp_path / "environment", tmp_path / "other"
    other.mkdir()
    lookups.look_once_at({str(directory)})
    with pytest.raises(FileNotFoundError):  # what is not there may come
        os.lstat(directory.as_posix())
    directory.mkdir()
    for name in ("bin", "lib", "share"):
        assert os.path.realpath(f"{directory}/{name}") == f"{directory}/{name}"
        os.path.realpath(other)
    assert looks.count(str(directory)) == 2
    assert looks.count(str(other)) == 3
    lookups.look_anew()
    os.path.realpath(directory)
    assert looks.count(str(directory)) == 3


def test_modules_of_node_are_looked_for_where_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Path] = []

    class LanguageServerManagerAPI:
        """Has of jupyter_lsp's what is used of it."""

        extra_node_roots: tuple[Path, ...] = ()

        def __init__(self, *roots: Path) -> None:
            self.node_roots = roots

        def find_node_module(self, *_parts: str) -> None:
            looks.extend((*self.extra_node_roots, *self.node_roots))

    module = types.ModuleType("jupyter_lsp.types")
    module.LanguageServerManagerAPI = LanguageServerManagerAPI  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jupyter_lsp.types", module)
    lookups.look_for_modules_of_node_where_there_are_some()
    (tmp_path / "with" / "node_modules").mkdir(parents=True)
    LanguageServerManagerAPI(tmp_path / "without", tmp_path / "with").find_node_module("pyright", "server.js")
    assert looks == [tmp_path / "with"]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Node and npm, and a home; npm cannot be run."""
    for name in ("node", "npm"):
        program = tmp_path / "node" / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(0o755)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "node" / "bin"))
    for name in ("npm_config_prefix", "NPM_CONFIG_PREFIX", "NPM_CONFIG_USERCONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_npm_installs_beside_node_unless_somebody_says_otherwise(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers are those of npm 11.17 in the same four places."""
    npm = str(node / "node" / "bin" / "npm")
    seen = [lookups.npm_prefix(None, npm)]
    (node / "node" / "etc").mkdir()
    (node / "node" / "etc" / "npmrc").write_text("prefix=/opt/npm\n")
    seen.append(lookups.npm_prefix(None, npm))
    (node / "home" / ".npmrc").write_text("; mine\nsave=true\nprefix = ${HOME}/modules\n")
    seen.append(lookups.npm_prefix(None, npm))
    monkeypatch.setenv("NPM_CONFIG_PREFIX", "/elsewhere")
    seen.append(lookups.npm_prefix(None, npm))
    assert seen == [str(node / "node"), "/opt/npm", str(node / "home" / "modules"), "/elsewhere"]
