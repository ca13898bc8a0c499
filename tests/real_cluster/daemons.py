"""The daemons of the cluster: what each is started with, as whom, and how it shows that it is ready."""

from __future__ import annotations

import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from clusterhub.errors import ClusterhubError

from . import processes
from .hosts import enter_argv
from .layout import DATA, GATEWAY, SLURM_SBIN, Host

START_TIMEOUT = 60.0
"""Seconds that a daemon may take to be ready. Two busy cores need ten for mariadbd."""

# $1 file for the process id as the host sees it, $2 log, then the command. Detached from our session and
# parent, so that the daemon belongs to the host's process 1.
DETACHED = 'echo $$ >"$1.new"; mv "$1.new" "$1"; exec >>"$2" 2>&1 </dev/null; shift 2; exec "$@"'


@dataclass(frozen=True)
class Daemon:
    """One daemon on one host."""

    name: str
    host: Host
    argv: tuple[str, ...]
    user: str = "root"
    """The user that owns the daemon's directory; with ``drops`` also the user that it is started as."""
    drops: bool = False
    """Whether we change to the user; otherwise the daemon does it by itself."""
    port: int = 0
    socket: str = ""
    """A Unix socket, as the host sees it."""
    subdirectories: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return DATA / self.host.name / self.name

    @property
    def log(self) -> Path:
        """Its log file."""
        return self.directory / "log"

    @property
    def output(self) -> Path:
        """What it writes on standard output and error; all there is where it dies before it has a log."""
        return self.directory / "output"

    @property
    def pid_file(self) -> Path:
        """Holds the process id as the host sees it."""
        return DATA / self.host.name / "run" / f"{self.name}.pid"


def munged(host: Host) -> Daemon:
    """Every host has a munged of its own, for a credential names the host of the munged that made it."""
    directory = DATA / host.name / "munge"
    argv = (
        str(SLURM_SBIN / "munged"),
        "--foreground",
        f"--key-file={directory}/key",
        f"--seed-file={directory}/seed",
        f"--log-file={directory}/log",
    )
    return Daemon("munge", host, argv, user="munge", drops=True, socket="/run/munge/munge.socket.2")


def mariadbd() -> Daemon:
    """A database of our own; whether a power cut loses it does not matter here, so nothing is synced."""
    directory = DATA / GATEWAY.name / "mariadb"
    argv = (
        str(SLURM_SBIN / "mariadbd"),
        "--no-defaults",
        "--user=mysql",
        f"--datadir={directory}/data",
        "--socket=/run/mysqld/mysqld.sock",
        "--pid-file=/run/mysqld/mysqld.pid",
        f"--log-error={directory}/log",
        f"--init-file={directory}/init.sql",
        "--skip-networking",
        "--skip-name-resolve",
        "--performance-schema=OFF",
        "--innodb-buffer-pool-size=64M",
        "--innodb-log-file-size=16M",
        "--innodb-lock-wait-timeout=900",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=OFF",
        "--innodb-flush-method=nosync",
    )
    return Daemon("mariadb", GATEWAY, argv, user="mysql", socket="/run/mysqld/mysqld.sock")


SLURMDBD = Daemon("slurmdbd", GATEWAY, (str(SLURM_SBIN / "slurmdbd"), "-D"), user="slurm", port=6819)
SLURMCTLD = Daemon(
    "slurmctld",
    GATEWAY,
    (str(SLURM_SBIN / "slurmctld"), "-D"),
    user="slurm",
    port=6817,
    subdirectories=("state",),
)


def slurmd(host: Host) -> Daemon:
    """The daemon of a compute node."""
    argv = (str(SLURM_SBIN / "slurmd"), "-D", "-N", host.name)
    return Daemon("slurmd", host, argv, port=6818, subdirectories=("spool",))


def pid_of(daemon: Daemon, init_pid: int) -> int | None:
    """The daemon's process id on the machine; None where it does not run."""
    try:
        inner = int(daemon.pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return processes.pids_by_inner_pid(init_pid).get(inner)


def start(daemon: Daemon, init_pid: int) -> None:
    """Ensure that the daemon runs and answers. Raises `ClusterhubError` with its last log lines if not."""
    if pid_of(daemon, init_pid) is not None:
        return
    for directory in (daemon.directory, *(daemon.directory / name for name in daemon.subdirectories)):
        directory.mkdir(parents=True, exist_ok=True)
        shutil.chown(directory, daemon.user)
    daemon.pid_file.unlink(missing_ok=True)
    as_user = (
        ["setpriv", f"--reuid={daemon.user}", f"--regid={daemon.user}", "--init-groups"]
        if daemon.drops
        else []
    )
    subprocess.run(
        [
            *enter_argv(init_pid),
            *("setsid", "--fork", "sh", "-c", DETACHED, "sh", str(daemon.pid_file), str(daemon.output)),
            *as_user,
            *daemon.argv,
        ],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        cwd="/",
        check=True,
    )
    processes.wait_until(daemon.pid_file.exists, timeout=5)
    ready = processes.wait_until(
        lambda: _answers(daemon, init_pid) or pid_of(daemon, init_pid) is None, START_TIMEOUT, pause=0.05
    )
    if not ready or pid_of(daemon, init_pid) is None:
        raise ClusterhubError(
            f"{daemon.name} on {daemon.host.name} " + ("died at its start." if ready else "does not answer."),
            where=str(daemon.log if daemon.log.exists() else daemon.output),
            log=last_lines(daemon),
        )


def _answers(daemon: Daemon, init_pid: int) -> bool:
    if daemon.socket:
        return Path(f"/proc/{init_pid}/root{daemon.socket}").is_socket()
    try:
        processes.connect_from(init_pid, daemon.host.address, daemon.port).close()
    except OSError:
        return False
    return True


def stop(daemon: Daemon, init_pid: int, timeout: float = 20.0) -> None:
    """End the daemon the orderly way; kill it if it has not gone within ``timeout`` seconds."""
    pid = pid_of(daemon, init_pid)
    if pid is None:
        return
    processes.kill([pid], signal.SIGTERM)
    if not processes.wait_until(lambda: not processes.is_alive(pid), timeout):
        processes.kill([pid])
        processes.wait_until(lambda: not processes.is_alive(pid), 5)
    daemon.pid_file.unlink(missing_ok=True)


def last_lines(daemon: Daemon, count: int = 12) -> tuple[str, ...]:
    """The end of the log, or of the output where it never came to have a log."""
    for path in (daemon.log, daemon.output):
        if path.exists() and (text := path.read_text(errors="replace").strip()):
            return tuple(text.splitlines()[-count:])
    return ()
