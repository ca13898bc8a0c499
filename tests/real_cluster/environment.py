"""The environment that sessions run in: a venv of Debian's Python, kept in the cache between clusters."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from clusterhub.errors import ClusterhubError

from . import cache
from .layout import CACHE, REPOSITORY, SHARED

PYTHON = Path("/usr/bin/python3")
"""Not the Python of the developer's venv: one that every user may execute."""
REQUIREMENTS = REPOSITORY / "requirements" / "session.txt"
DONE = ".complete"


def wanted() -> str:
    """The name of the environment: a digest of its requirements and of the Python that it is for."""
    text = REQUIREMENTS.read_bytes() + str(PYTHON.resolve()).encode()
    return hashlib.sha256(text).hexdigest()[:12]


def is_cached() -> bool:
    """Whether it need not be built."""
    return (CACHE / "environments" / wanted() / DONE).exists()


def ensure() -> None:
    """Make `environments/<digest>` and `environments/current` on the shared file system.

    A venv cannot be moved, so the digest's directory is a link into the cache, where the venv was made. Only
    links lie in `environments`: what tests build beside them never reaches the cache.
    """
    target = CACHE / "environments" / wanted()
    with cache.turn():
        if not is_cached():
            build(target)
    environments = SHARED / "environments"
    environments.mkdir(parents=True, exist_ok=True)
    for link, to in ((environments / wanted(), str(target)), (environments / "current", wanted())):
        if not link.is_symlink():
            link.symlink_to(to)


def build(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    log = CACHE / "environment.log"
    python = str(target / "bin" / "python3")
    before = os.umask(0o022)  # readable by everyone, whatever root's own umask is
    try:
        with log.open("w") as output:
            for argv in (
                [str(PYTHON), "-m", "venv", str(target)],
                [python, "-m", "pip", "install", "--no-compile", "--require-hashes", "-r", str(REQUIREMENTS)],
                [python, "-m", "compileall", "-q", "-j", "0", str(target / "lib")],
            ):
                done = subprocess.run(argv, stdout=output, stderr=subprocess.STDOUT, cwd="/", check=False)
                # compileall's exit code is 1 for templates and tests that are not Python: they do no harm.
                if done.returncode != 0 and "compileall" not in argv:
                    raise ClusterhubError(
                        "The environment for sessions could not be built.",
                        where=f"{' '.join(argv[:4])} ..., log {log}",
                        next="Check that pip can install packages here, then run `up` again.",
                        log=tuple(log.read_text(errors="replace").splitlines()[-12:]),
                    )
    finally:
        os.umask(before)
    (target / DONE).touch()
