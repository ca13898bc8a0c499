"""The Python environment of this checkout, in ``.venv``, made from the lock files.

Standard library only.
"""

import _python  # noqa: F401 - ends, or changes over, a Python that is too old for what follows

# isort: split
import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from _pip_progress import run_pip
from _python import NEWER_NAMES, OLDEST

ROOT = Path(__file__).resolve().parent.parent
Kind = Literal["run", "dev"]

# What each kind is made of: names of locks in requirements/.
LOCKS: dict[Kind, tuple[str, ...]] = {
    "run": ("hub", "session", "build"),
    "dev": ("hub", "session", "build", "dev"),
}
SIGNS_OF_NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ProxyError",
    "Network is unreachable",
    "name resolution",
    "Connection refused",
)
SPACE_OF_PIP = 32 * 1024 * 1024
LOCK_NAME = ".installing"
RECORD_NAME = ".installed.json"
LOG_NAME = "install.log"


class CannotInstall(Exception):
    """Why the environment cannot be made, in one sentence."""


def say(line: str) -> None:
    """Print progress where it does not mix with results."""
    print(line, file=sys.stderr, flush=True)


def ensure_environment(kind: Kind = "run", *, root: Path = ROOT) -> Path:
    """The Python of the checkout's environment, making or completing the environment where that is needed.

    ``run`` has what hub and sessions need, ``dev`` also what tests and checks need. A second call takes
    milliseconds. Calls at the same time wait for each other; an installation that was interrupted is done
    anew. Where it cannot be done: one sentence on standard error and exit 1.
    """
    environment = root / ".venv"
    python = environment / "bin" / "python"
    try:
        if _missing(environment, kind):
            _make(environment, kind)
    except CannotInstall as error:
        sys.exit(f"clusterhub: {error}")
    except KeyboardInterrupt:
        sys.exit("clusterhub: interrupted; the next start makes the environment anew.")
    except OSError as error:
        sys.exit(f"clusterhub: {_os_error(error, environment)}")
    return python


def _missing(environment: Path, kind: Kind) -> list[str]:
    """The locks, and the package, that are not installed as they are now."""
    record = _read_record(environment)
    wanted = _wanted(environment.parent, kind)
    if not _runs(environment):
        return list(wanted)
    return [name for name, digest in wanted.items() if record.get(name) != digest]


def _wanted(root: Path, kind: Kind) -> dict[str, str]:
    """What an environment of this kind is made from: digests of locks, package and proxy."""
    wanted = {}
    for name in LOCKS[kind]:
        wanted[name] = _digest(root / "requirements" / f"{name}.txt")
    # The package is installed as a link to the sources: only what its metadata says can be outdated.
    wanted["clusterhub"] = _digest(root / "pyproject.toml", root / "src" / "clusterhub" / "__init__.py")
    proxy = root / "src" / "clusterhub" / "hub" / "proxy"
    wanted["proxy"] = _digest(proxy / "package.json", proxy / "package-lock.json")
    return wanted


def _digest(*paths: Path) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.read_bytes())
    return whole.hexdigest()


def _runs(environment: Path) -> bool:
    """Whether its interpreter is still there and still where it was made: neither moved nor copied."""
    if not os.access(environment / "bin" / "python", os.X_OK):
        return False
    return _read_record(environment).get("path") == str(environment)


def _read_record(environment: Path) -> dict[str, str]:
    try:
        record = json.loads((environment / RECORD_NAME).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write_record(environment: Path, record: dict[str, str]) -> None:
    """Write it whole or not at all: what it says is believed without a further look."""
    scratch = environment / f"{RECORD_NAME}.new"
    scratch.write_text(json.dumps(record, indent=1) + "\n")
    scratch.replace(environment / RECORD_NAME)


def _make(environment: Path, kind: Kind) -> None:
    if environment.is_dir() and any(environment.iterdir()) and not (environment / LOCK_NAME).exists():
        raise CannotInstall(f"{environment} is there and was not made by this command; move it away.")
    with _readable_for_others():
        environment.mkdir(exist_ok=True)
    with _only_one(environment), _readable_for_others():
        wanted = _wanted(environment.parent, kind)
        missing = _missing(environment, kind)
        if not missing:
            return
        started = time.monotonic()
        say(f"Making the Python environment in {environment} (once)")
        if not _runs(environment) or "interrupted" in _read_record(environment):
            _empty(environment)
            _create(environment)
            missing = list(wanted)
        record = {**_read_record(environment), "path": str(environment)}
        # pip's files of a killed run cannot be told from whole ones: such an environment is made anew.
        _write_record(environment, {**record, "interrupted": "yes"})
        _install(environment, missing)
        _write_record(environment, {**record, **wanted})
        say(f"The environment is ready ({time.monotonic() - started:.0f} s)")


@contextmanager
def _readable_for_others() -> Iterator[None]:
    """Other accounts run the environment that root makes; a strict umask must not keep them out."""
    former = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(former)


@contextmanager
def _only_one(environment: Path) -> Iterator[None]:
    """Wait for another start that is installing right now."""
    with (environment / LOCK_NAME).open("w") as lock:
        # What is started meanwhile holds the lock as well, and goes on holding it if this process is killed.
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start is making the environment; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
                raise
            say("This file system has no locks: do not start twice before the environment is ready")
        yield


def _empty(environment: Path) -> None:
    for path in environment.iterdir():
        if path.name == LOCK_NAME:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _create(environment: Path) -> None:
    interpreter = choose_interpreter()
    say(f"  Python {interpreter.version} ({interpreter.path})")
    command = [interpreter.path, "-m", "venv", str(environment)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, close_fds=False)
    if done.returncode != 0:
        output = done.stdout + done.stderr
        # venv keeps what pip's installation said to itself.
        if "No space left" in output or shutil.disk_usage(environment).free < SPACE_OF_PIP:
            raise CannotInstall(f"the disk that holds {environment} is full.")
        last = (output.strip().splitlines() or ["no output"])[-1]
        raise CannotInstall(f"`{' '.join(command)}` failed: {last}")


def _install(environment: Path, missing: list[str]) -> None:
    root = environment.parent
    python = str(environment / "bin" / "python")
    log = environment / LOG_NAME
    log.write_text("")
    locks = [name for name in missing if (root / "requirements" / f"{name}.txt").exists()]
    if locks:
        files = [str(root / "requirements" / f"{name}.txt") for name in locks]
        # The locks are complete, so pip need not resolve anything.
        options = ["--require-hashes", "--no-deps"]
        for file in files:
            options += ["-r", file]
        _pip(python, options, f"packages of {', '.join(locks)}", log)
    if "clusterhub" in missing:
        options = ["--no-deps", "--no-build-isolation", "--no-index", "-e", str(root)]
        _pip(python, options, "clusterhub itself", log)
    if "proxy" in missing:
        _install_proxy(python)


def _pip(python: str, options: list[str], what: str, log: Path) -> None:
    # One try more instead of pip's five: without a network each costs seconds, and the next start goes on.
    command = [python, "-m", "pip", "--no-input", "--disable-pip-version-check", "--retries", "1"]
    exit_code, output = run_pip([*command, "install", *options], what, log)
    if exit_code != 0:
        raise CannotInstall(f"{_pip_cause(output)} (pip's whole output: {log})")


def _pip_cause(output: str) -> str:
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return "the disk is full; the environment needs about 1 GiB, and the downloads as much in TMPDIR."
    if "DO NOT MATCH THE HASHES" in output:
        return "a downloaded package is not the one that the lock file names; nothing of it was installed."
    no_network = (
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeoutError",
        "Network is unreachable",
    )
    if any(word in output for word in (*no_network, "name resolution", "ProxyError", "Connection refused")):
        return "the first start installs Python packages, and the package index cannot be reached from here."
    if "CERTIFICATE_VERIFY_FAILED" in output:
        return "the package index shows a certificate that Python does not trust (pip's option: cert)."
    errors = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    return f"pip failed: {errors[-1][7:] if errors else 'it gave no reason'}"


def _install_proxy(python: str) -> None:
    started = time.monotonic()
    say("  the HTTP proxy ...")
    command = [python, "-m", "clusterhub.hub.proxy_installation"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, close_fds=False)
    if done.returncode != 0:
        raise CannotInstall(done.stderr.strip())
    say(f"  the HTTP proxy: installed ({time.monotonic() - started:.0f} s)")


def _os_error(error: OSError, environment: Path) -> str:
    where = error.filename or environment
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to write {where}; the environment lies in the checkout: use your own clone."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk that holds {where} is full; the environment needs about 1 GiB."
    return f"cannot make the environment: {error.strerror or error} ({where})"


@dataclass(frozen=True)
class Interpreter:
    """A Python to make environments with."""

    path: str
    version: str
    problem: str
    """Why it does not serve, empty where it does."""


PROBE = """
import json, sys, sysconfig
lacks = []
for name in ("venv", "ensurepip"):
    try:
        __import__(name)
    except ImportError:
        lacks.append(name)
base = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps([base, list(sys.version_info[:3]), sysconfig.get_path("stdlib"), lacks]))
"""


def choose_interpreter() -> Interpreter:
    """The Python to make the environment with: the running one, unless other accounts could not execute it.

    Root's tests run sessions as other people, and a Python in a home directory that only its owner may enter
    fails there with "Permission denied"; then the system's Python is taken.
    """
    names = [sys.executable]
    if os.geteuid() == 0:
        names += ["/usr/bin/python3", *(path for path in map(shutil.which, NEWER_NAMES) if path)]
    candidates = [_probe(name) for name in names if Path(name).exists()]
    for candidate in candidates:
        if not candidate.problem:
            return candidate
    raise CannotInstall(candidates[0].problem)


def _probe(path: str) -> Interpreter:
    done = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return Interpreter(path, "", f"{path} does not run: {done.stderr.strip()[-200:]}")
    base, numbers, library, lacks = json.loads(done.stdout)
    version = ".".join(map(str, numbers))
    problem = ""
    if tuple(numbers[:2]) < OLDEST:
        problem = f"clusterhub needs Python {OLDEST[0]}.{OLDEST[1]} or newer; {path} is {version}."
    elif lacks:
        short = ".".join(map(str, numbers[:2]))
        problem = (
            f"{path} lacks the module {' and '.join(lacks)}; "
            f"install it (Debian, Ubuntu: apt install python{short}-venv)."
        )
    elif os.geteuid() == 0 and not (others_may_enter(Path(base)) and others_may_enter(Path(library))):
        problem = f"{path} lies where other accounts cannot execute it; install python3-venv of your system."
    return Interpreter(base, version, problem)


def others_may_enter(path: Path) -> bool:
    """Whether any account may reach this file or directory, and read or execute it."""
    for step in {path, path.resolve()}:
        for part in (step, *step.parents):
            if not part.stat().st_mode & 0o001:
                return False
    return True
