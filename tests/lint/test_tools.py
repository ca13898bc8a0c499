"""ruff and mypy, as tests: one summary counts everything."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def python_files_without_suffix() -> list[str]:
    """The commands in scripts/ that are Python: ruff finds only files that end in .py by itself."""
    commands = [path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix]
    return sorted(str(path) for path in commands if "python" in path.read_text().partition("\n")[0])


def run(*command: str) -> None:
    """Fail with the tool's own words."""
    argv = [sys.executable, "-m", *command]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command[:2])}:\n{done.stdout}{done.stderr}", pytrace=False)


def test_ruff_finds_nothing() -> None:
    run("ruff", "check", "--no-cache", "--quiet", ".", *python_files_without_suffix())


def test_every_file_has_the_format_of_ruff() -> None:
    run("ruff", "format", "--no-cache", "--check", ".", *python_files_without_suffix())


def test_mypy_is_content_with_the_package() -> None:
    run("mypy")


def test_mypy_is_content_with_scripts_and_benchmarks() -> None:
    modules = [str(path) for room in ("scripts", "bench") for path in sorted((ROOT / room).glob("*.py"))]
    run("mypy", "--scripts-are-modules", *modules)
