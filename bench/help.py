"""How long a command line takes to say what it can do: what a person waits for at each command."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from _run import Run, interleaved, timings

ABOUT = "seconds until --help has been printed, clusterhub beside jupyterhub"
COMMANDS = ("clusterhub", "jupyterhub")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often."""
    parser.add_argument("--rounds", type=int, default=15, help="timings of each command (default: 15)")


def measure(arguments: argparse.Namespace) -> list[Run]:
    """Runs with ``median_s`` and ``samples_s``."""
    programs = {name: str(Path(sys.executable).with_name(name)) for name in COMMANDS}
    systems: dict[str, Callable[[], float]] = {name: partial(_help, path) for name, path in programs.items()}
    return [timings(name, samples) for name, samples in interleaved(systems, arguments.rounds).items()]


def _help(program: str) -> float:
    # Bytecode must be written once, as in any installation, whatever the caller's settings are.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run([program, "--help"], env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started
