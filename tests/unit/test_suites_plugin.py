"""The plugin that scripts/test loads: order of the suites, seconds, skips that count as failures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """A ``tests`` directory with one passing test in each of two suites."""
    for name in ("abuse", "unit"):
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / f"test_{name}.py").write_text(f"def test_{name}(): pass\n")
    return tmp_path / "tests"


def run(tests: Path, *arguments: str) -> tuple[int, str]:
    """pytest with the plugin: its exit code and output."""
    options = ["-c", "/dev/null", "--rootdir", str(tests.parent), "-p", "no:cacheprovider", "-v"]
    command = [sys.executable, "-m", "pytest", "-p", "tests.suites", *options, str(tests), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_quick_suites_come_first_and_seconds_are_shown(tests: Path) -> None:
    code, output = run(tests)
    assert code == 0
    assert output.index("::test_unit") < output.index("::test_abuse")
    assert "seconds by suite" in output


def test_a_skip_passes_unless_none_may_be(tests: Path) -> None:
    (tests / "unit" / "test_unit.py").write_text("import pytest\ndef test_unit(): pytest.skip('no sbatch')\n")
    assert run(tests)[0] == 0
    code, output = run(tests, "--no-skips")
    assert code == 1
    assert "no sbatch" in output.partition("which fails this run")[2]


def test_a_skipped_file_counts_as_a_skip(tests: Path) -> None:
    text = "import pytest\npytest.skip('no browser', allow_module_level=True)\n"
    (tests / "unit" / "test_unit.py").write_text(text)
    assert run(tests, "--no-skips")[0] == 1


def test_an_expected_failure_is_no_skip(tests: Path) -> None:
    text = "import pytest\n@pytest.mark.xfail\ndef test_unit(): assert False\n"
    (tests / "unit" / "test_unit.py").write_text(text)
    assert run(tests, "--no-skips")[0] == 0


def test_pytests_own_summary_is_the_last_line(tests: Path) -> None:
    assert " passed in " in run(tests)[1].strip().splitlines()[-1]


def test_each_test_belongs_to_one_share(tests: Path) -> None:
    (tests / "unit" / "test_unit.py").write_text(
        "import pytest\n"
        "@pytest.fixture\ndef cluster(): pass\n"
        "@pytest.fixture(params=['local', pytest.param('slurm', marks=pytest.mark.on_cluster)])\n"
        "def engine(request): return request.param\n"
        "def test_on_cluster(cluster): pass\n"
        "def test_on_each(engine): pass\n"
    )
    for name in ("fault", "browser"):
        (tests / name).mkdir()
        (tests / name / f"test_{name}.py").write_text(
            "import pytest\n@pytest.fixture\ndef cluster(): pass\n"
            f"def test_{name}(cluster): pass\ndef test_local(): pass\n"
        )
    done = {share: run(tests, f"--share={share}") for share in ("faults", "cluster", "browser", "rest")}
    assert {code for code, _ in done.values()} == {0}

    def share_of(name: str) -> list[str]:
        return [share for share, (_, output) in done.items() if f"::{name} PASSED" in output]

    assert share_of("test_fault") == ["faults"]
    assert share_of("test_on_cluster") == share_of("test_on_each[slurm]") == ["cluster"]
    assert share_of("test_on_each[local]") == share_of("test_local") == share_of("test_abuse") == ["rest"]
    assert share_of("test_browser") == ["browser"]
