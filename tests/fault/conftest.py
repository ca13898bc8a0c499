"""A hub of the demo to break: supervised, on the local engine, in a directory of its own."""

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from clusterhub.hub import demo as demo_module

PATIENCE = 60.0


@dataclass
class Demo:
    """A hub of the demo, supervised, and the files that it makes."""

    directory: Path
    url: str
    password: str
    said: list[str]
    """What the demo has said at the terminal since it was ready."""

    def has_said(self, words: str) -> bool:
        """True once one of those lines has these words."""
        return any(words in line for line in self.said)

    @property
    def jobs(self) -> list[Path]:
        """The local engine's records."""
        return sorted((self.directory / "state" / "local" / "here" / "jobs").glob("[0-9]*"))

    def records(self) -> list[dict[str, str]]:
        """What the engine says of each job."""
        return [json.loads((job / "record.json").read_text()) for job in self.jobs]

    @property
    def tickets(self) -> list[Path]:
        """The files with tickets of sessions."""
        return list((self.directory / "sessions").glob("*/*.ticket"))

    def pid(self, program: str) -> int:
        """The process id of ``jupyterhub`` itself, or of the ``configurable-http-proxy``."""
        state = str(self.directory / "state")
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                words = (process / "cmdline").read_text().split("\0")
                names = [word.rpartition("/")[2] for word in words]
                runs = any(name.startswith(program) for name in names)  # the one by its configuration
                if runs and str((process / "cwd").readlink()) == state:
                    return int(process.name)
        raise AssertionError(f"no {program} is running")

    def hub_log_has(self, pattern: str) -> bool:
        """True once hub or proxy have written a line like this."""
        return re.search(pattern, (self.directory / "hub.log").read_text(errors="replace")) is not None

    def log_has(self, pattern: str) -> bool:
        """True once the newest session's log has a line like this."""
        logs = sorted((self.directory / "sessions").glob("*/*.log"), key=lambda path: path.stat().st_mtime)
        return bool(logs) and re.search(pattern, logs[-1].read_text(errors="replace")) is not None


@contextlib.contextmanager
def running_demo(directory: Path, *, hub: str = "", cluster: str = "", profile: str = "") -> Iterator[Demo]:
    """A hub of the demo in that directory, for as long as the context lasts.

    ``hub`` and ``cluster`` are further lines of those tables of its site, ``profile`` is another profile.
    """
    site = demo_module.SITE.replace("[hub]\n", f"[hub]\n{hub}\n") + profile
    site = site.replace('scheduler = "local"\n', f'scheduler = "local"\n{cluster}\n')
    program = f"from clusterhub.hub import demo; demo.SITE = {site!r}; demo.main()"
    port = demo_module.free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--directory", directory, f"--port={port}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    output, said = process.stdout, list[str]()
    reading = Thread(target=lambda: said.extend(output), daemon=True)
    try:
        printed = ""
        while "Ctrl-C" not in printed:
            line = output.readline()
            assert line, f"the demo ended: {printed}"
            printed += line
        found = re.search(r"Password +(\S+)", printed)
        assert found is not None
        reading.start()
        yield Demo(directory, f"http://127.0.0.1:{port}", found[1], said)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        if reading.ident is not None:
            reading.join(10)
        output.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running_demo(tmp_path / "demo") as demo:
        yield demo


async def until(true: Callable[[], bool] | Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> None:
    """Returns when the condition holds; there is no event of another process to await."""

    async def poll() -> None:
        while True:
            outcome = true()
            if outcome is True or (isinstance(outcome, Awaitable) and await outcome):
                return
            await asyncio.sleep(0.05)

    await asyncio.wait_for(poll(), patience)
