"""A helper that serves this very account, with a program that stands for sbatch and says that it does."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest
from tests.unit.privileged.own_helper import OwnHelper

FAKE_SBATCH = f"""#!{sys.executable} -I
import json, os, resource, sys
script = sys.stdin.read()
if "hang" in script:
    import signal
    signal.pause()
if "babble" in script:
    os.write(1, b"x" * 300_000)
if "refuse" in script:
    sys.exit("fake sbatch: error: Invalid account")
print(json.dumps({{
    "program": "a fake sbatch",
    "argv": sys.argv[1:],
    "stdin": script,
    "environment": dict(os.environ),
    "directory": os.getcwd(),
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:4],
    "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
    "leads a session": os.getsid(0) == os.getpid(),
}}))
"""


@pytest.fixture
def own_helper(tmp_path: Path) -> OwnHelper:
    fake = tmp_path / "fake_sbatch"
    fake.write_text(FAKE_SBATCH)
    fake.chmod(0o755)
    person = pwd.getpwuid(os.getuid()).pw_name
    configuration = {
        "programs": {"sbatch": [str(fake)], "scancel": [str(fake)], "local-engine": [str(fake)]},
        "session_directory": str(tmp_path / "sessions"),
        "environment": {"SLURM_CONF": "/etc/slurm/slurm.conf"},
        "only_person": person,
        "directives": ["--licenses=matlab:1"],
        "audit_log": str(tmp_path / "audit.log"),
    }
    return OwnHelper(tmp_path, person, configuration)
