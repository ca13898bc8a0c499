"""What the test suites need from Debian's packages, and how it gets there."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

PACKAGES = {
    "python3": "an interpreter that every account may execute",
    "python3-venv": "environments made with it",
    "slurm-wlm": "controller, node daemon and commands of the test cluster",
    "slurmdbd": "accounting of the test cluster",
    "mariadb-server": "the database of accounting",
    "postgresql": "the hub's other database",
    "munge": "credentials between the hosts of the test cluster",
    "iproute2": "network namespaces that stand for hosts",
    "util-linux": "nsenter and unshare, to start daemons in them",
    "procps": "ps and sysctl",
    "faketime": "clocks of nodes that are off",
    "squashfs-tools": "images of environments",
    "squashfuse": "sessions that mount them",
    "charliecloud-runtime": "containers in which sessions run",
    "podman": "the same",
    "uidmap": "accounts in its containers",
    "strace": "counting what sessions ask of file systems",
    "sudo": "the way from the hub's account to the helper",
    "libpam-oath": "logins that ask for a one-time code",
    "oathtool": "the one-time codes",
    "chromium": "the browser of the browser suite",
    "fonts-dejavu-core": "letters on its pages",
}

POLICY = Path("/usr/sbin/policy-rc.d")


def can_install() -> bool:
    """Whether this is root on Debian, or on a distribution made from it."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and Path("/usr/bin/apt-get").exists()


def missing_packages() -> list[str]:
    """The names in PACKAGES that dpkg does not know as installed."""
    command = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *PACKAGES]
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in answer.splitlines() if line.endswith(" installed")}
    return [name for name in PACKAGES if name not in installed]


def ensure_packages() -> None:
    """Install what is missing, without starting any service. Exits with a sentence where apt fails."""
    missing = missing_packages()
    if not missing:
        return
    for name in missing:
        print(f"Installing {name}: {PACKAGES[name]}", file=sys.stderr, flush=True)
    install = ["install", "--yes", "--no-install-recommends", *missing]
    with _services_stay_down():
        # The lists of packages are read only where they are absent, or older than what the mirror has.
        known = _apt([*install, "--simulate"], quiet=True) == 0
        if not (known and _apt(install) == 0) and (_apt(["update"]) != 0 or _apt(install) != 0):
            sys.exit(
                "apt-get failed, see above; the packages can also be installed by hand: " + " ".join(missing)
            )


def _apt(arguments: list[str], *, quiet: bool = False) -> int:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0", *arguments]
    # What a benchmark prints on standard output is its result alone.
    output = subprocess.DEVNULL if quiet else sys.stderr
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
    ).returncode


@contextmanager
def _services_stay_down() -> Iterator[None]:
    """Debian starts what it installs unless this file says no; one that is there already is left alone."""
    if POLICY.exists():
        yield
        return
    # Killed politely, the file must not stay behind: it would keep the machine's own services down.
    former = signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
        yield
    finally:
        POLICY.unlink(missing_ok=True)
        signal.signal(signal.SIGTERM, former)


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
