"""What tests of environments share: uv from its lock, packages made here, and a place that everybody sees."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.environments.site_of_versions import Versions
from tests.environments.tools import ensure_uv


@pytest.fixture(scope="session")
def uv() -> Path:
    """The directory of uv's program."""
    return ensure_uv()


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
