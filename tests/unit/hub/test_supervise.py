"""What would keep hub or proxy from starting is said before either is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterhub.errors import ClusterhubError
from clusterhub.hub.supervise import check_ready_to_start
from clusterhub.site.loading import parse
from clusterhub.site.schema import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    text = f"""
[hub]
url = "http://127.0.0.1:1"
internal_url = "https://127.0.0.1:1"
state_directory = "{tmp_path}/state"
[cluster.main]
scheduler = "slurm"
commands = "{tmp_path}/commands"
[environment]
path = "/opt/environments/current"
[[profile]]
name = "small"
"""
    (tmp_path / "commands").mkdir()
    return parse(text, tmp_path / "site.toml")


def test_a_missing_command_of_the_scheduler_is_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ClusterhubError, match="The program sbatch is missing") as refused:
        check_ready_to_start(site, ["hub"])
    assert str(tmp_path / "commands") in str(refused.value)


def test_the_proxy_alone_needs_no_scheduler(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterhub.hub.supervise.check_port", lambda *_: None)
    check_ready_to_start(site, ["proxy"])
