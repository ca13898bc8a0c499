"""Runs pip and shows how far it is: one line that changes on a terminal, a line now and then elsewhere."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

SECONDS_BETWEEN_LINES = 15.0
"""Where progress goes to a file or a CI log."""


def run_pip(command: list[str], what: str, log: Path) -> tuple[int, str]:
    """Run ``pip install``, append its output to ``log``, and return its exit code and output."""
    progress = _Progress(what)
    output: list[str] = []
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (
        log.open("a") as record,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            # It inherits the lock: if this process is killed, the next start waits for pip to end.
            close_fds=False,
        ) as pip,
        progress.counting_installed(Path(command[0]).parent.parent),
    ):
        assert pip.stdout is not None  # noqa: S101 - tells mypy what PIPE means
        try:
            for line in pip.stdout:
                record.write(line)
                output.append(line)
                progress.read(line)
        except BaseException:
            pip.kill()
            raise
    progress.finish(failed=pip.returncode != 0)
    return pip.returncode, "".join(output)


class _Progress:
    """What is known of a pip run: packages fetched so far, then packages installed of all."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._said = self._started
        self._fetched = 0
        self._to_install = 0
        self._before = 0
        self._site: Path | None = None
        self._done = threading.Event()
        self._terminal = sys.stderr.isatty()
        self._show("starting", at_once=True)

    def read(self, line: str) -> None:
        """Learn from a line of pip's output."""
        if line.startswith("Collecting "):
            self._fetched += 1
        elif line.startswith("Installing collected packages: "):
            self._to_install = line.count(",") + 1
            self._before = self._count()

    def counting_installed(self, prefix: Path) -> "_Ticker":
        """Look each second how many packages lie in the environment: pip says nothing while it installs."""
        found = sorted(prefix.glob("lib/python3*/site-packages"))
        self._site = found[0] if found else None
        return _Ticker(self._tick, self._done)

    def finish(self, *, failed: bool) -> None:
        """Say how it ended."""
        seconds = time.monotonic() - self._started
        packages = f"{self._to_install} packages" if self._to_install > 1 else "installed"
        self._write(f"  {self._what}: {'failed' if failed else packages} ({seconds:.0f} s)", last=True)

    def _tick(self) -> None:
        if self._to_install:
            installed = max(0, min(self._to_install, self._count() - self._before))
            self._show(f"installing {installed} of {self._to_install}")
        elif self._fetched:
            self._show(f"fetching, {self._fetched} so far")

    def _count(self) -> int:
        return sum(1 for _ in self._site.glob("*.dist-info")) if self._site else 0

    def _show(self, state: str, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if not (self._terminal or at_once or now - self._said >= SECONDS_BETWEEN_LINES):
            return
        self._said = now
        self._write(f"  {self._what}: {state} ...", last=False)

    def _write(self, line: str, *, last: bool) -> None:
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{line}" + ("\n" if last else ""))
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class _Ticker:
    """Calls a function each second while the ``with`` block runs."""

    def __init__(self, tick: Callable[[], None], done: threading.Event) -> None:
        self._tick = tick
        self._done = done
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._done.wait(1.0):
            self._tick()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
