"""Jupyter finds nothing of the person's but data and kernels; what only the start needs is gone later."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from clusterhub.session import isolation


def test_jupyters_configuration_directory_has_links_to_data_and_nothing_else(tmp_path: Path) -> None:
    theirs = tmp_path / "home" / ".jupyter"
    (theirs / "lab" / "user-settings").mkdir(parents=True)
    for name in ("jupyter_server_config.py", "lab/user-settings/kept", "lab/else"):
        (theirs / name).write_text("")
    own = Path(isolation.own_configuration(str(theirs), str(tmp_path / "own")))
    assert {path.name for path in own.iterdir()} == {"migrated", "lab", "serverconfig", "nbconfig"}
    assert {path.name for path in (own / "lab").iterdir()} == {"user-settings", "workspaces"}
    assert (own / "lab" / "user-settings" / "kept").exists()
    (own / "lab" / "workspaces" / "new").write_text("")
    assert (theirs / "lab" / "workspaces" / "new").exists()


def test_in_a_home_that_cannot_be_written_to_what_is_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "lab" / "workspaces").mkdir(parents=True)
    (tmp_path / "serverconfig").write_text("not a directory: stands for all that keeps one from being made")
    own = Path(isolation.own_configuration(str(tmp_path), str(tmp_path / "own")))
    assert (own / "lab" / "workspaces").is_symlink()
    assert not (own / "serverconfig").exists()


def test_the_persons_data_directory_is_searched_for_kernels_only() -> None:
    def found(*subdirectories: str) -> list[str]:
        return [str(Path(each, *subdirectories)) for each in ("/home/alice/data", "/environment")]

    assert isolation.search_path(found, "/home/alice/data", "kernels") == [
        "/home/alice/data/kernels",
        "/environment/kernels",
    ]
    for subdirectories in ((), ("labextensions",), ("nbconvert", "templates")):
        assert isolation.search_path(found, "/home/alice/data", *subdirectories) == [
            str(Path("/environment", *subdirectories))
        ]


class HubAuth:
    """A stand-in for JupyterHub's, which reads the token when it is first asked."""

    def __init__(self) -> None:
        self.read = ""

    @property
    def api_token(self) -> str:
        self.read = self.read or os.environ["JUPYTERHUB_API_TOKEN"]
        return self.read


def test_the_token_leaves_the_environment_when_all_have_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*isolation.SECRETS, *isolation.WHILE_IT_STARTS):
        monkeypatch.setenv(name, "secret")
    holders = [SimpleNamespace(hub_auth=HubAuth()) for _ in range(2)]
    manager = SimpleNamespace(extension_apps={"jupyterhub": {object()}, "lab": [holders[0]]})
    isolation.end_of_start(SimpleNamespace(extension_manager=manager, identity_provider=holders[1]))
    assert [holder.hub_auth.api_token for holder in holders] == ["secret", "secret"]
    assert not {*isolation.SECRETS, *isolation.WHILE_IT_STARTS} & os.environ.keys()
