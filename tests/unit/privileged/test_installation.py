"""Installing the helper: three files, each there once, and none that sudo would choke on."""

from __future__ import annotations

import ast
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from clusterhub.privileged import helper, installation
from clusterhub.privileged.broker import HelperConfiguration
from clusterhub.privileged.helper.configuration import check_configuration
from clusterhub.privileged.installation import InstallationError, ensure_helper, helper_files, sudoers_text

CONFIGURATION = HelperConfiguration(
    {"sbatch": ("/usr/bin/sbatch",)}, "/shared/sessions", allow=("@hpc-users",)
)
needs_visudo = pytest.mark.skipif(
    not shutil.which("visudo", path="/usr/sbin"), reason="sudo is not installed"
)


def test_the_sudoers_file_is_one_rule_for_one_program_without_arguments() -> None:
    assert sudoers_text("clusterhub") == (
        'clusterhub ALL=(root:root) NOPASSWD: /usr/libexec/clusterhub/helper ""\n'
    )


@pytest.mark.parametrize("account", ["ALL", "", "a b", "#0", "%wheel", "a\nb ALL=(ALL) NOPASSWD: ALL", "a,b"])
def test_a_service_account_that_would_be_more_than_a_name_is_refused(account: str) -> None:
    with pytest.raises(InstallationError):
        sudoers_text(account)


def test_the_helper_takes_the_configuration_that_is_installed() -> None:
    import json

    files = helper_files(CONFIGURATION, "clusterhub")
    text = next(file.content for file in files if file.path.suffix == ".json")
    assert check_configuration(json.loads(text)).allow == ["@hpc-users"]


def test_the_installed_helper_is_isolated_from_its_environment() -> None:
    files = helper_files(CONFIGURATION, "clusterhub")
    content = next(file.content for file in files if file.path.name == "helper")
    assert content.startswith(b"#!/usr/bin/python3 -IS\n")


@pytest.mark.parametrize(
    "path", sorted(Path(helper.__file__).parent.glob("*.py")), ids=lambda path: path.stem
)
def test_the_helper_is_written_for_the_oldest_python_that_hosts_have(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))


@needs_visudo
def test_installing_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    changed = ensure_helper(CONFIGURATION, "clusterhub", tmp_path)
    modes = {str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode) for path in changed}
    assert modes == {
        "etc/clusterhub/helper.json": 0o644,
        "usr/libexec/clusterhub/helper": 0o755,
        "etc/sudoers.d/clusterhub": 0o440,
    }
    assert ensure_helper(CONFIGURATION, "clusterhub", tmp_path) == []
    assert [path.name for path in (tmp_path / "etc/sudoers.d").iterdir()] == ["clusterhub"]


@needs_visudo
def test_what_somebody_changed_is_put_right(tmp_path: Path) -> None:
    ensure_helper(CONFIGURATION, "clusterhub", tmp_path)
    program = tmp_path / "usr/libexec/clusterhub/helper"
    program.chmod(0o777)
    assert ensure_helper(CONFIGURATION, "clusterhub", tmp_path) == [program]
    assert stat.S_IMODE(program.stat().st_mode) == 0o755


@needs_visudo
def test_the_installed_helper_starts(tmp_path: Path) -> None:
    ensure_helper(CONFIGURATION, "clusterhub", tmp_path)
    program = tmp_path / "usr/libexec/clusterhub/helper"
    done = subprocess.run([program, "x"], input="{}", capture_output=True, text=True, timeout=30, check=True)
    assert "takes no arguments" in done.stdout


@needs_visudo
def test_a_sudoers_file_that_visudo_refuses_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "sudoers_text", lambda _: "this is no rule\n")
    with pytest.raises(InstallationError) as error:
        ensure_helper(CONFIGURATION, "clusterhub", tmp_path)
    assert error.value.explanation.log
    assert not (tmp_path / "etc/sudoers.d").exists()
