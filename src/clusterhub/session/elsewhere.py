"""Goes on with a session in an environment that its person brings along, which needs Jupyter Server only.

The site's own Python has bound the port and boarded, as munge and the site's file systems are where it runs.
Then the person's Python, in a container or not, gets the socket and the hub's answer as open files, and
serves. Nothing of it is written down or stands in arguments, and a file of the person's decides nothing
before their own server would.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .launcher import NO_ENVIRONMENT, LaunchError, keep_memory_private, say

SOCKET, ANSWER = 3, 4
"""The open files of the person's Python; podman hands on the first few only."""
LAUNCHER = "launcher.text"
"""By this name the launcher itself travels along, where it is needed a second time."""
RUNTIME = "{runtime}"
"""In a command: the session's directory on the node."""

ALWAYS_OURS = ("jupyterhub",)
"""Of the site's environment whatever else there is: it has to fit to the hub."""
WHERE_MISSING = (
    *("aiohappyeyeballs", "aiohttp", "aiosignal", "alembic", "async_timeout", "attr", "attrs", "frozenlist"),
    *("greenlet", "idna", "mako", "markupsafe", "multidict", "packaging", "propcache", "sqlalchemy"),
    *("typing_extensions", "yarl"),
)
"""What jupyterhub imports in a session. Each does without its compiled parts where they do not fit."""

START = """\
import importlib.util, os, sys
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "ours"))
sys.path.append(os.path.join(here, "missing"))
found = importlib.util.spec_from_loader("clusterhub_launcher", None)
launcher = importlib.util.module_from_spec(found)
sys.modules[found.name] = launcher
with open(os.path.join(here, "launcher.text"), encoding="utf-8") as file:
    exec(compile(file.read(), "launcher.py", "exec"), launcher.__dict__)
launcher.FILES = os.path.join(here, "files")
files = launcher.carried_files()
sys.exit(launcher.load_modules(files)["elsewhere"].take_over(files))
"""


def serve(
    listener: socket.socket,
    reply: Mapping[str, Any],
    settings: Mapping[str, Any],
    runtime: str,
    files: Mapping[str, str],
) -> None:
    """Runs the session in the person's environment until it ends. Raises LaunchError, and SystemExit."""
    import jupyterhub

    own = settings["own"]
    directory = os.path.join(runtime, "along")
    write_along(directory, files)
    place_packages(directory, Path(jupyterhub.__file__).parents[1], copied=own["copied"])
    command = [word.replace(RUNTIME, runtime) for word in own["command"]]
    say("the server runs in %s" % own["what"])
    code = run(
        [*command, "-I", os.path.join(directory, "start.py")],
        listener,
        {
            "reply": dict(reply),
            "settings": dict(settings),
            "runtime": runtime,
        },
    )
    if code:
        say("%s ended with exit code %d" % (own["what"], code))
        sys.exit(code if code > 0 else 128 - code)


def write_along(directory: str, files: Mapping[str, str]) -> None:
    """Writes what the person's Python runs first, which holds no secret."""
    os.makedirs(directory)
    Path(directory, "start.py").write_text(START, encoding="utf-8")
    Path(directory, "launcher.text").write_text(files[LAUNCHER], encoding="utf-8")
    text = "".join("==> %s <==\n%s" % each for each in files.items())
    Path(directory, "files").write_text(text, encoding="utf-8")


def place_packages(directory: str, packages: Path, *, copied: bool) -> None:
    """Puts the site's jupyterhub, and what it needs, where the person's Python finds them.

    As links, or as copies where what the node sees is not seen.
    """
    for place, names in (("ours", ALWAYS_OURS), ("missing", WHERE_MISSING)):
        target = Path(directory, place)
        target.mkdir()
        for name in names:
            for source in (packages / name, packages / (name + ".py")):
                if not source.exists():
                    continue
                if not copied:
                    (target / source.name).symlink_to(source)
                elif source.is_dir():
                    shutil.copytree(source, target / source.name)
                else:
                    shutil.copyfile(source, target / source.name)


def run(command: Sequence[str], listener: socket.socket, answer: Mapping[str, Any]) -> int:
    """Runs a Python with the socket and the answer as open files, and hands signals on; its exit code."""
    with os.fdopen(os.memfd_create("clusterhub-answer"), "w+b") as file:
        file.write(json.dumps(answer).encode())
        file.seek(0)
        # Above all that may be open: the two numbers may be taken, by one of these themselves.
        above = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 16) for each in (listener.detach(), file.fileno())]
    for number, each in zip((SOCKET, ANSWER), above):  # noqa: B905 - `strict` came with Python 3.10
        os.dup2(each, number)
        os.close(each)
    environment = dict(os.environ)
    ours = os.path.dirname(sys.executable)
    environment["PATH"] = os.pathsep.join(
        each for each in environment.get("PATH", "").split(os.pathsep) if each != ours
    )
    try:
        process = subprocess.Popen(command, pass_fds=(SOCKET, ANSWER), env=environment)
    except OSError as error:
        raise LaunchError(
            NO_ENVIRONMENT, "%s cannot be run on this node: %s" % (command[0], error.strerror)
        ) from None
    finally:
        os.close(SOCKET)
        os.close(ANSWER)
    # Not before: the process inherits that the scheduler's warning is ignored until it listens to it.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, handing_on(process))
    return process.wait()


def handing_on(process: subprocess.Popen[bytes]) -> Callable[[int, Any], None]:
    """A handler of signals that lets the process have them."""
    return lambda number, _frame: process.send_signal(number)


def take_over(files: Mapping[str, str]) -> int:
    """In the person's Python: serves on what was handed over; the exit code."""
    keep_memory_private()
    with os.fdopen(ANSWER, "rb") as file:
        handed = json.loads(file.read())
    listener = socket.socket(fileno=SOCKET)
    listener.setblocking(False)  # which Python takes up by itself only where it made the socket
    os.set_inheritable(SOCKET, False)
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    from . import server

    try:
        server.serve(listener, handed["reply"], handed["settings"], handed["runtime"], files)
    except LaunchError as error:
        say(str(error))
        return error.code
    return 0
