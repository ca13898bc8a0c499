"""The command line: messages in three parts, no traceback, quick help."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.site.examples import small_site

from clusterhub.cli import main


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    state = f'state_directory = "{tmp_path}/state"'
    path.write_text(small_site(hub=state, profile='time = { default = "1h", max = "2h" }'))
    return path


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert "Traceback" not in result.output
    return result.exit_code, result.stdout, result.stderr


def test_help_names_every_verb_and_imports_no_room() -> None:
    code, printed, _ = run("--help")
    assert code == 0
    for verb in ("up", "explain", "logs", "why", "orphans", "config", "environment"):
        assert f"  {verb} " in printed


def test_a_good_site_is_said_to_be_good(site: Path) -> None:
    assert run("config", "check", "--site", site)[:2] == (0, f"{site}: good: 1 cluster, 1 profile\n")


@pytest.mark.parametrize(
    "words",
    [
        ("config", "check"),
        ("config", "show"),
        ("up",),
        ("explain", "x", "y"),
        ("logs", "x"),
        ("why", "x"),
        ("orphans",),
    ],
)
def test_a_wrong_site_is_named_with_file_and_line(site: Path, words: tuple[str, ...]) -> None:
    site.write_text(site.read_text().replace("[cluster.here]\n", '[cluster.here]\nschedular = "slurm"\n'))
    line = site.read_text().splitlines().index('schedular = "slurm"') + 1
    code, _, said = run(*words, "--site", site)
    assert code == 1
    assert f"{site}:{line}:" in said
    assert "scheduler" in said


def test_show_prints_each_value_with_its_origin_and_drop_ins_errors(site: Path) -> None:
    code, printed, _ = run("config", "show", "--site", site, "--json")
    shown = {each["setting"]: each for each in json.loads(printed)}
    assert code == 0
    assert shown["c.JupyterHub.bind_url"]["origin"] == f"{site}: [hub] bind"
    (site.parent / "conf.d").mkdir()
    (site.parent / "conf.d" / "x.py").write_text("c.Spawner. = 1\n")
    code, _, said = run("config", "check", "--site", site)
    assert code == 1
    assert "x.py, line 1" in said


def test_schema_is_json() -> None:
    code, printed, _ = run("config", "schema")
    assert code == 0
    assert json.loads(printed)["type"] == "object"


def test_explain_prints_commands_and_script_and_submits_nothing(site: Path) -> None:
    import getpass

    code, printed, said = run("explain", getpass.getuser(), "small", "time=2h", "--site", site)
    assert (code, said) == (0, "")
    assert "--time=7200" in printed
    assert "#!/bin/bash" in printed
    assert f"clusterhub:127.0.0.1-8000:{getpass.getuser()}:" in printed
    assert not (site.parent / "sessions").exists()
    assert not (site.parent / "state").exists()


@pytest.mark.parametrize(
    ("choice", "said"), [("time=3h", "1min to 2h"), ("times=1h", "Did you mean time?"), ("2h", "KEY=VALUE")]
)
def test_explain_refuses_as_the_start_page_does(site: Path, choice: str, said: str) -> None:
    import getpass

    code, _, error = run("explain", getpass.getuser(), "small", choice, "--site", site)
    assert code == 1
    assert said in error


def test_nothing_heavy_is_imported_for_help() -> None:
    import subprocess

    heavy = "pydantic", "jupyterhub", "asyncio"
    code = f"import sys, clusterhub.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_why_and_orphans_say_what_is_missing_before_a_hub_has_run(site: Path) -> None:
    code, _, said = run("why", "alice", "--site", site)
    assert code == 1
    assert f"{site.parent}/state" in said
    code, _, said = run("orphans", "--site", site)
    assert code == 1
    assert f"{site.parent}/state/jupyterhub.sqlite" in said
    assert not (site.parent / "state").exists()
