"""uv, with which environments are built, from its lock."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.real_cluster import layout

LOCK = layout.REPOSITORY / "requirements" / "environments.txt"


def ensure_uv() -> Path:
    """The directory of uv's program, installed from its lock once for all runs on this machine."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    target = layout.CACHE / "uv" / digest
    if not (target / "bin" / "uv").exists():
        scratch = target.with_name(f".{digest}")
        shutil.rmtree(scratch, ignore_errors=True)
        words = ["install", "--quiet", "--no-deps", "--require-hashes", "--target", str(scratch)]
        subprocess.run([sys.executable, "-m", "pip", *words, "-r", str(LOCK)], check=True, stdout=sys.stderr)
        scratch.rename(target)
    return target / "bin"
