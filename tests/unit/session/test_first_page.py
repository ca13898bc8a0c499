"""Which page a session opens with. It fails where an application opens that the environment does not have."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from clusterhub.session import first_page


def reply(page: str, app: str = "") -> dict[str, object]:
    return {"environment": {"JUPYTERHUB_DEFAULT_URL": page}, "app": app}


@pytest.fixture
def rstudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that announces RStudio, as jupyter-rsession-proxy does."""
    there = tmp_path / "jupyter_rsession_proxy-2.5.1.dist-info"
    there.mkdir()
    (there / "METADATA").write_text("Metadata-Version: 2.1\nName: jupyter-rsession-proxy\nVersion: 2.5.1\n")
    text = "[jupyter_serverproxy_servers]\nrstudio = jupyter_rsession_proxy:setup_rserver\n"
    (there / "entry_points.txt").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()


@pytest.mark.usefixtures("rstudio")
def test_an_application_of_the_environment_opens() -> None:
    assert first_page.choose(reply("/rstudio/", "rstudio"), is_own=False) == "/rstudio/"


def test_jupyterlab_opens_where_the_environment_lacks_it_and_the_log_says_so(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert first_page.choose(reply("/rstudio/", "rstudio"), is_own=False) == "/lab"
    assert f"{sys.prefix} has no application rstudio" in capfd.readouterr().err


def test_a_page_that_the_operator_named_is_not_doubted() -> None:
    assert first_page.choose(reply("/matlab/"), is_own=False) == "/matlab/"


def test_an_environment_that_a_person_brought_opens_with_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    there: set[str] = set()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name in there else None)
    seen = []
    for packages in (set[str](), {"notebook"}, {"jupyterlab", "notebook"}):
        there.clear()
        there.update(packages)
        seen.append([first_page.choose(reply(page), is_own=True) for page in ("/lab", "/tree", "/app")])
    assert seen == [["/", "/", "/app"], ["/tree", "/tree", "/app"], ["/lab", "/tree", "/app"]]
