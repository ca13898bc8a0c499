"""The command line of `scripts/cluster`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from types import FrameType

from clusterhub.errors import ClusterhubError

from . import hub
from .cluster import RealCluster
from .construction import step
from .layout import HOSTS, HUB_PORT, PEOPLE
from .state import load


def _say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/cluster",
        description="Real Slurm on this machine, in namespaces: a gateway with a hub, and two nodes.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="bring the cluster up; says so if it is up already")
    up.add_argument("--no-hub", action="store_true", help="only the cluster, no hub on its gateway")
    up.add_argument(
        "--port", type=int, default=HUB_PORT, help="port of 127.0.0.1 that leads to the hub (%(default)s)"
    )
    down = verbs.add_parser("down", help="take it down and leave nothing")
    down.add_argument("--purge", action="store_true", help="remove the cached session environment as well")
    verbs.add_parser("status", help="say what runs")
    shell = verbs.add_parser("shell", help="a login shell on a host")
    shell.add_argument("host", metavar="HOST", choices=HOSTS, help=", ".join(HOSTS))
    shell.add_argument("--user", default="root", help="as whom (%(default)s)")
    execute = verbs.add_parser("exec", help="run a command on a host: exec HOST [--user NAME] -- CMD ...")
    execute.add_argument("host", metavar="HOST", choices=HOSTS, help=", ".join(HOSTS))
    execute.add_argument("--user", default="root", help="as whom (%(default)s)")
    execute.add_argument("command", metavar="CMD", nargs="+")
    return parser


def _up(port: int, *, with_hub: bool) -> None:
    started = time.monotonic()
    cluster = RealCluster(_say)
    changed = cluster.up(port)
    seconds = time.monotonic() - started
    _say(f"The cluster is up ({seconds:.1f} s)." if changed else "The cluster is up already.")
    if with_hub and hub.hub_pid(cluster) is None:
        try:
            with step(_say, "hub on the gateway"):
                hub.start_hub(cluster, hub.default_site(load().port))
        except BaseException:
            # What an earlier call made stays, and with it the hub's log.
            if changed:
                cluster.down()
            raise
    if with_hub:
        _say(f"Open http://127.0.0.1:{load().port}")
    for person in PEOPLE:
        _say(f"  log in as {person.name} with password {person.password}")
    _say("`scripts/cluster shell gateway --user alice` is a shell, `scripts/cluster down` removes it all.")


def _down(*, purge: bool) -> None:
    started = time.monotonic()
    cluster = RealCluster(_say)
    cluster.down()
    if purge:
        cluster.purge()
    _say(f"The cluster is down ({time.monotonic() - started:.1f} s).")


def _status() -> int:
    cluster = RealCluster()
    lines = cluster.status()
    is_up = lines[0] == "The cluster is up."
    if is_up:
        pid = hub.hub_pid(cluster)
        lines.insert(1, f"  hub      process {pid}, log {hub.LOG}" if pid else "  hub      not running")
    _say("\n".join(lines))
    return 0 if is_up else 1


def _replace_by(host: str, argv: list[str], user: str) -> None:
    terminal = {"TERM": os.environ["TERM"]} if "TERM" in os.environ else {}
    line = RealCluster().argv(host, argv, user, terminal)
    os.execvp(line[0], line)  # noqa: S606 - no shell is meant


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(argv: list[str] | None = None) -> int:
    """Run one verb; the exit code is 0, 1 for an error that is explained, 130 after an interrupt."""
    # A terminal that is closed and a `kill` take down what `up` made so far, as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    options = _parser().parse_args(argv)
    try:
        if options.verb == "up":
            _up(options.port, with_hub=not options.no_hub)
        elif options.verb == "down":
            _down(purge=options.purge)
        elif options.verb == "status":
            return _status()
        else:
            command = ["bash", "--login"] if options.verb == "shell" else options.command
            _replace_by(options.host, command, options.user)
    except ClusterhubError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0
