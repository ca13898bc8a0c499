"""The frame that every benchmark stands in: arguments, progress, JSON, median.

A benchmark is a file here that defines ``ABOUT`` (one line) and ``measure(arguments)``, which returns its
runs: dictionaries with the key ``system`` and numbers whose names end in their unit. It may also define
``add_arguments(parser)``. ``scripts/bench`` starts this file with the environment that it needs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from clusterhub.errors import ClusterhubError

Run = dict[str, Any]


def say(line: str) -> None:
    """Report progress: standard output is for the result."""
    print(line, file=sys.stderr, flush=True)


def timings(system: str, samples: Iterable[float], **keys: Any) -> Run:
    """A run from repeated timings in seconds: the samples in their order, and their median."""
    seconds = [round(sample, 4) for sample in samples]
    return {"system": system, **keys, "median_s": round(statistics.median(seconds), 4), "samples_s": seconds}


def interleaved(systems: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Time systems in turn, so that what else the machine does weighs on all alike.

    Each function does its work once and returns seconds. One more round goes first and is not counted.
    """
    samples: dict[str, list[float]] = {name: [] for name in systems}
    for number in range(rounds + 1):
        for name, once in systems.items():
            seconds = once()
            if number:
                samples[name].append(seconds)
        say(f"round {number} of {rounds}")
    return samples


def table(runs: list[Run]) -> str:
    """The runs for a reader: one line each, lists left out."""
    lines = []
    for run in runs:
        cells = [f"{key}={value}" for key, value in run.items() if not isinstance(value, list)]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark named by the first argument."""
    name, *rest = sys.argv[1:]
    here = Path(__file__).resolve().parent
    sys.path[:0] = [str(here), str(here.parent)]
    benchmark = importlib.import_module(name)
    parser = argparse.ArgumentParser(prog=f"scripts/bench {name}", description=benchmark.ABOUT)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    if hasattr(benchmark, "add_arguments"):
        benchmark.add_arguments(parser)
    arguments = parser.parse_args(rest)
    try:
        runs = benchmark.measure(arguments)
    except subprocess.CalledProcessError as error:
        sys.exit(f"scripts/bench {name}: `{' '.join(map(str, error.cmd))}` failed ({error.returncode})")
    except ClusterhubError as error:
        sys.exit(f"scripts/bench {name}: {error}")
    except KeyboardInterrupt:
        say(f"scripts/bench {name}: interrupted")
        sys.exit(130)
    print(json.dumps({"runs": runs}) if arguments.json else table(runs))


if __name__ == "__main__":
    main()
