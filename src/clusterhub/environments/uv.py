"""uv's commands: builders and a reader of what it says when it fails, pure; and the one place that runs it.

https://docs.astral.sh/uv/reference/cli/
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from clusterhub.environments.schema import Source
from clusterhub.errors import ClusterhubError

LAST_LINES = 12
"""Lines of its output that a message repeats."""

_FULL = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122")
_AWAY = (
    "error sending request",
    "dns error",
    "Failed to fetch",
    "Connection refused",
    "Failed to download",
    "timed out",
)


def find() -> Path:
    """The program, from this very installation or from PATH. Raises ClusterhubError where there is none."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    if found is None:
        raise ClusterhubError(
            "Environments are built with uv, which is not installed here.",
            where=sys.prefix,
            next=f"install it: {sys.executable} -m pip install 'clusterhub[environments]'",
        )
    return Path(found)


def source_options(source: Source) -> list[str]:
    """Where packages come from."""
    options = ["--default-index", source.index] if source.index else []
    for index in source.extra_indexes:
        options += ["--index", index]
    if source.wheels is not None:
        options += ["--find-links", str(source.wheels)]
    if source.offline:
        options.append("--no-index")
    return options


def lock(python: Path, requirements: Path, to: Path, source: Source) -> list[str]:
    """Find and pin everything that the requirements need, with hashes and without addresses."""
    return [
        *("pip", "compile", "--generate-hashes", "--no-header", "--no-emit-index-url"),
        *("--no-emit-find-links", "--no-python-downloads", "--python", str(python)),
        *source_options(source),
        *(str(requirements), "--output-file", str(to)),
    ]


def make(python: Path, prefix: Path) -> list[str]:
    """Make an empty environment."""
    return [
        *("venv", "--no-project", "--no-python-downloads", "--allow-existing"),
        *("--python", str(python), str(prefix)),
    ]


def install(prefix: Path, locks: Sequence[Path], source: Source) -> list[str]:
    """Install exactly what the lock pins, checked by its hashes, and compile it.

    Copies, not links into the cache: whoever tidies up or changes the cache must not change an environment.
    """
    given = [word for path in locks for word in ("--requirements", str(path))]
    return [
        *("pip", "install", "--require-hashes", "--no-deps", "--compile-bytecode", "--link-mode", "copy"),
        *("--no-python-downloads", "--python", str(prefix / "bin" / "python3")),
        *source_options(source),
        *given,
    ]


def fetch_python(version: str, directory: Path) -> list[str]:
    """Fetch a Python of its own into a directory."""
    return ["python", "install", "--no-bin", "--compile-bytecode", "--install-dir", str(directory), version]


def failure(doing: str, output: Sequence[str], log: Path) -> ClusterhubError:
    """What went wrong, from what uv said."""
    text = "\n".join(output)
    last = tuple(line.rstrip() for line in output if line.strip())[-LAST_LINES:]
    again = "then build again, which goes on where this ended"
    if any(sign in text for sign in _FULL):
        return ClusterhubError(
            f"The disk is full: {doing} stopped.", where=str(log), next=f"Make room, {again}.", log=last
        )
    if "No solution found" in text:
        return ClusterhubError(
            "These packages do not go together, or some of them are not to be had.",
            where=str(log),
            next="Change what environment.toml asks for; the last lines say what is in the way.",
            log=last,
        )
    if "Hash mismatch" in text or "hash mismatch" in text:
        return ClusterhubError(
            "A package is not the one that was pinned: its hash differs. Nothing of it was installed.",
            where=str(log),
            next="Look at the index or directory that it came from, then build again with --anew.",
            log=last,
        )
    if any(sign in text for sign in _AWAY):
        return ClusterhubError(
            f"What is needed could not be fetched: {doing} stopped.",
            where=str(log),
            next=f"See that this machine reaches the package index, or set [source]; {again}.",
            log=last,
        )
    return ClusterhubError(
        f"uv failed: {doing} stopped.",
        where=str(log),
        next="See its last lines and its whole output.",
        log=last,
    )


def run(
    words: Sequence[str], doing: str, log: Path, note: Callable[[str], None], uv: Path | None = None
) -> None:
    """Run uv, its output line by line to ``log`` and ``note``. Raises ClusterhubError where it fails."""
    output: list[str] = []
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON")
    }
    with (
        log.open("a", encoding="utf-8") as record,
        subprocess.Popen(
            [uv or find(), *words],
            cwd="/",  # a project or settings that lie where the command is typed are not meant
            env={**environment, "NO_COLOR": "1", "UV_NO_PROGRESS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # It inherits the build's lock: if this process is killed, the next build waits for uv's end.
            close_fds=False,
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - tells mypy what PIPE means
        record.write(f"$ uv {' '.join(words)}\n")
        try:
            for line in process.stdout:
                record.write(line)
                output.append(line)
                note(line.strip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise failure(doing, output, log)
