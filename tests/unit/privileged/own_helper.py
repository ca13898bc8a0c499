"""The helper as a process that serves this very account."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterhub.privileged import helper


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
            [sys.executable, "-I", helper.__file__, "--configuration", str(self.file)],
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
