"""What tests of environments share: uv from its lock, packages made here, and a place that everybody sees."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.environments.site_of_versions import Versions
from tests.real_cluster import layout

LOCK = layout.REPOSITORY / "requirements" / "environments.txt"


@pytest.fixture(scope="session")
def uv() -> Path:
    """The directory of uv's program, installed from its lock once for all runs on this machine."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    target = layout.CACHE / "uv" / digest
    if not (target / "bin" / "uv").exists():
        scratch = target.with_name(f".{digest}")
        shutil.rmtree(scratch, ignore_errors=True)
        words = ["install", "--quiet", "--no-deps", "--require-hashes", "--target", str(scratch)]
        subprocess.run([sys.executable, "-m", "pip", *words, "-r", str(LOCK)], check=True)
        scratch.rename(target)
    return target / "bin"


@pytest.fixture
def versions(uv: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Versions]:
    """An empty directory for versions, where every account can look."""
    path = Path(tempfile.mkdtemp(prefix="clusterhub-test-", dir="/var/tmp"))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("UV_CACHE_DIR", str(path / "cache"))
    (path / "wheels").mkdir()
    yield Versions(path)
    shutil.rmtree(path)
