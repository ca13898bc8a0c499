"""A helper that serves this very account, with a program that stands for sbatch and says that it does."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clusterhub.privileged.archive import ISOLATED, helper_archive

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


@dataclass
class OwnHelper:
    """The helper as a process, with a configuration in a directory of its own."""

    room: Path
    person: str
    configuration: dict[str, Any]

    @property
    def sessions(self) -> Path:
        return self.room / "sessions"

    @property
    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.room / "audit.log").read_text().splitlines()]

    @property
    def program(self) -> Path:
        path = self.room / "helper"
        if not path.exists():
            path.write_bytes(helper_archive())
        return path

    @property
    def file(self) -> Path:
        path = self.room / "helper.json"
        path.write_text(json.dumps(self.configuration))
        path.chmod(0o600)
        return path

    def submission(self, script: str = "#!/bin/sh\n", **more: Any) -> dict[str, Any]:
        argv = [
            "sbatch",
            "--parsable",
            f"--comment=clusterhub:hub.example.org:{self.person}:",
            f"--output={self.sessions}/{self.person}/default-%j.log",
        ]
        return {"verb": "submit", "person": self.person, "argv": argv, "stdin": script, **more}

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        return self.send({"verb": verb, "person": self.person, **fields})

    def send(self, request: Any, environment: dict[str, str] | None = None) -> dict[str, Any]:
        text = request if isinstance(request, bytes) else json.dumps(request).encode()
        done = subprocess.run(
            [sys.executable, ISOLATED, str(self.program), "--configuration", str(self.file)],
            input=text,
            capture_output=True,
            timeout=30,
            check=False,
            env=environment or {},
        )
        assert done.returncode == 0
        assert done.stderr == b""
        reply = json.loads(done.stdout)
        assert isinstance(reply, dict)
        return reply


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
