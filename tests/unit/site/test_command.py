"""`clusterhub config check` and `clusterhub config schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.site.examples import OF_A_SITE

from clusterhub.site.command import check, schema


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(OF_A_SITE)
    return path


def test_a_good_file_is_called_good_with_what_is_in_it(path: Path) -> None:
    result = CliRunner().invoke(check, ["--site", str(path)])
    assert result.exit_code == 0
    assert result.output == f"{path}: good: 1 cluster, 2 profiles\n"


def test_the_file_can_be_named_by_a_variable(path: Path) -> None:
    result = CliRunner().invoke(check, env={"CLUSTERHUB_SITE": str(path)})
    assert result.output.startswith(f"{path}: good")


def test_without_a_name_it_is_the_one_in_etc() -> None:
    result = CliRunner().invoke(check, ["--help"], env={"CLUSTERHUB_SITE": ""})
    assert "/etc/clusterhub/site.toml" in result.output


def test_every_mistake_is_printed_and_the_exit_code_says_so(path: Path) -> None:
    path.write_text(OF_A_SITE.replace("admins", "adimns").replace('"slurm"', '"pbs"'))
    result = CliRunner().invoke(check, ["--site", str(path)])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"{path}:3:1:" in result.stderr
    assert f"{path}:10:13:" in result.stderr
    assert "site.toml has 2 mistakes." in result.stderr


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(check, ["--site", str(tmp_path / "none.toml")])
    assert result.exit_code == 1
    assert result.stderr.startswith("there is no such site file\n")
    assert "Traceback" not in result.output


def test_the_schema_is_printed_as_json() -> None:
    result = CliRunner().invoke(schema)
    assert result.exit_code == 0
    assert json.loads(result.output)["title"] == "site.toml of clusterhub"
