"""The command line of the embedded engine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from clusterhub.schedulers.local_engine import PROGRAM, REFUSED, Refused, supervision
from clusterhub.schedulers.local_engine.records import Request, job_directory


def complain(sentence: object) -> None:
    sys.stderr.write(f"{PROGRAM}: {sentence}\n")


def submit(options: argparse.Namespace) -> None:
    """Read the script from standard input, put the job in the queue and print its id."""
    # Imported here: what it takes to supervise a job is not needed to list or end one.
    from clusterhub.schedulers.local_engine import submission

    request = Request(**{field: getattr(options, field) for field in Request._fields})
    job_id = submission.submit(options.directory, request, sys.stdin.buffer.read())
    sys.stdout.write(f"{job_id}\n")


def estimate(options: argparse.Namespace) -> None:
    """Print when such a job would start, in seconds since the epoch."""
    from clusterhub.schedulers.local_engine import submission
    from clusterhub.schedulers.local_engine.estimate import estimate as estimated

    request = Request(**{field: getattr(options, field) for field in Request._fields})
    submission.check(request)
    sys.stdout.write(f"{estimated(options.directory, request)}\n")


def queue(options: argparse.Namespace) -> None:
    """Print the jobs as JSON, those of one name if it is given."""
    records = supervision.queue(options.directory)
    jobs = [record._asdict() for record in records if options.name in (None, record.name)]
    json.dump({"jobs": jobs}, sys.stdout)


def cancel(options: argparse.Namespace) -> None:
    """End a job; one that is over or unknown needs no ending."""
    record = supervision.current(job_directory(options.directory, options.job))
    if record is None:
        complain(f"there is no job {options.job}")
    elif not record.is_over:
        supervision.cancel(record)


def end_all(options: argparse.Namespace) -> None:
    """End every job of this directory and return when all are gone."""
    supervision.end_all(options.directory)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, allow_abbrev=False)
    verbs = parser.add_subparsers(required=True)

    def add_verb(name: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, allow_abbrev=False)
        verb.add_argument("--directory", type=lambda text: Path(text).absolute(), required=True)
        verb.set_defaults(run=run)
        return verb

    for name, run in (("submit", submit), ("estimate", estimate)):
        submitting = add_verb(name, run)
        for option in ("name", "tag", "output"):
            submitting.add_argument(f"--{option}", required=True)
        submitting.add_argument("--chdir")
        submitting.add_argument("--cpus", type=int, default=1)
        submitting.add_argument("--time", type=int, required=True)
        for option in ("warning", "memory", "capacity-cpus", "capacity-memory"):
            submitting.add_argument(f"--{option}", type=int)
    add_verb("queue", queue).add_argument("--name")
    add_verb("cancel", cancel).add_argument("job", type=int)
    add_verb("end-all", end_all)
    return parser.parse_args(arguments)


def main() -> int:
    """Do what the command line asks for. 0, `REFUSED`, or 1 where it is not certain what was done."""
    options = parse(sys.argv[1:])
    try:
        options.run(options)
    except Refused as refusal:
        complain(refusal)
        return REFUSED
    except OSError as error:
        complain(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
