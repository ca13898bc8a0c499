"""A whole version that is small enough to be made for a test: an environment of the machine's Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

from clusterhub.environments import manifest
from clusterhub.environments.manifest import Manifest
from clusterhub.environments.packing import pack
from clusterhub.environments.sealing import seal
from clusterhub.environments.versions import Environments

PYTHON = "/usr/bin/python3"


def small_version(directory: Path, name: str) -> Environments:
    """The version, packed. Its directory has a file more, which tells what is read."""
    version = directory / name
    directory.mkdir(exist_ok=True)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(version)], check=True)
    finish(version)
    environments = Environments.of_link(directory / "current")
    pack(environments, name, lambda _doing: None)
    (version / "bin").chmod(0o755)
    (version / "bin" / "only-in-the-directory").touch()
    return environments


def finish(version: Path) -> None:
    """Write down what a build would, and seal."""
    (version / "clusterhub").mkdir()
    manifest.write(
        Manifest(
            name=version.name,
            made_at=1_700_000_000.0,
            account="root",
            host="gateway",
            clusterhub="0",
            python="3",
            interpreter=PYTHON,
            lock="",
            adopted="",
            files=0,
            size=0,
            packages=(),
            kernels={},
        ),
        version / "clusterhub" / "manifest.json",
    )
    seal(version)
