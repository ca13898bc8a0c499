"""A directory of versions and the command line on it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import clusterhub

SOURCE = Path(clusterhub.__file__).parents[1]
PYTHON = "/usr/bin/python3"
"""Not the Python of the developer's venv: one that every account may execute."""


@dataclass(frozen=True)
class Versions:
    """Versions of an environment, and the wheels from which they are built."""

    path: Path

    @property
    def wheels(self) -> Path:
        """Packages that builds find."""
        return self.path / "wheels"

    @property
    def directory(self) -> Path:
        """Where the versions lie."""
        return self.path / "environments"

    @property
    def active(self) -> str:
        """What the link says."""
        link = self.directory / "current"
        return link.readlink().name if link.is_symlink() else ""

    def specification(self, *packages: str, extensions: tuple[str, ...] = (), python: str = PYTHON) -> Path:
        """An environment.toml of these packages only, without internet."""
        path = self.path / "environment.toml"
        path.write_text(
            f'[environment]\ninclude = "nothing"\npython = "{python}"\n'
            f"packages = {list(packages)}\nextensions = {list(extensions)}\n".replace("'", '"')
            + f'[source]\nwheels = "{self.wheels}"\noffline = true\n'
        )
        return path

    def argv(self, verb: str, *words: object) -> list[str]:
        """The command line of `clusterhub environment VERB` on these versions."""
        program = "from clusterhub.cli import main; main()"
        words = (verb, "--directory", self.directory, *words)
        return [sys.executable, "-c", program, "environment", *map(str, words)]

    def run(self, verb: str, *words: object) -> subprocess.CompletedProcess[str]:
        """What the command did; no traceback may reach a person."""
        done = subprocess.run(
            self.argv(verb, *words), capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "This should not happen" not in done.stderr, done.stderr
        return done

    def build(self, *packages: str, name: str) -> None:
        """A version of these packages."""
        done = self.run("build", "--name", name, self.specification(*packages))
        assert done.returncode == 0, done.stderr

    def activate(self, name: str) -> None:
        """Turn the link to that version."""
        done = self.run("activate", "--unchecked", name)
        assert done.returncode == 0, done.stderr
