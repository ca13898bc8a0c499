"""What is known of a Python interpreter, and whether sessions of every account can run it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from clusterhub.environments.findings import Finding, error
from clusterhub.environments.reach import obstacles

OLDEST = (3, 10)
"""The oldest Python that JupyterHub 6 runs on."""

PROBE_SECONDS = 60.0
"""How long an interpreter may take to say what it is: the file system may be a slow one."""

_PROBE = """
import json, os, platform, sys, sysconfig
print(json.dumps({
    "version": platform.python_version(),
    "prefix": sys.prefix,
    "base": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "library": sysconfig.get_path("stdlib"),
    "packages": sysconfig.get_path("purelib"),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs here."""

    path: Path
    version: str
    prefix: Path
    """The environment that it belongs to."""
    base: Path
    """The program itself, behind all links; another environment's where this one is made from that."""
    library: Path
    """The directory of its standard library."""
    packages: Path
    """Where packages of this environment lie."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Major and minor version."""
        return tuple(int(part) for part in self.version.split(".")[:2])


def examine(path: Path) -> Interpreter | Finding:
    """What the interpreter says of itself; a finding where it does not run."""
    remedy = "see that the path is right, and that this machine has what the interpreter needs"
    try:
        done = subprocess.run(
            [path, "-I", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            cwd="/",
            check=False,
        )
    except OSError as problem:
        return error("interpreter", f"it cannot be run: {problem.strerror}", where=path, next=remedy)
    except subprocess.TimeoutExpired:
        return error("interpreter", f"it says nothing within {PROBE_SECONDS:.0f} s", where=path, next=remedy)
    try:
        told = json.loads(done.stdout.splitlines()[-1])
        return Interpreter(
            path,
            told["version"],
            Path(told["prefix"]),
            Path(told["base"]),
            Path(told["library"]),
            Path(told["packages"]),
        )
    except (IndexError, ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        return error("interpreter", f"it does not run: {last[:200]}", where=path, next=remedy)


def shortcomings(interpreter: Interpreter) -> list[Finding]:
    """Why sessions cannot, or not everybody's session can, run in it; empty where all is well."""
    found = []
    if interpreter.numbers < OLDEST:
        found.append(
            error(
                "interpreter",
                f"it is Python {interpreter.version}, and JupyterHub needs {'.'.join(map(str, OLDEST))}",
                where=interpreter.path,
                next="name another Python in environment.toml",
            )
        )
    seen = set()
    paths = [interpreter.path, interpreter.base, interpreter.library]
    # One that environments are made from may have no packages of its own, nor a directory for them.
    paths += [interpreter.packages] if interpreter.packages.exists() else []
    for path in paths:
        for each in obstacles(path):
            if each.path not in seen:
                seen.add(each.path)
                found.append(
                    error("reach", f"{each.what}, on the way to {path}", where=each.path, next=each.remedy)
                )
    return found
