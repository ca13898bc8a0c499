"""The hub on the cluster's gateway: start, stop, kill, restart. Everything about it lies in one directory."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from clusterhub.errors import ClusterhubError

from . import processes
from .cluster import RealCluster
from .daemons import DETACHED
from .hosts import PATH, enter_argv
from .layout import DATA, GATEWAY, HUB_PORT, REPOSITORY

DIRECTORY = DATA / "hub"
SITE = DIRECTORY / "site.toml"
LOG = DIRECTORY / "log"
STATE_DIRECTORY = DIRECTORY / "state"
PID_FILE = DIRECTORY / "pid"
MARKER = f"CLUSTERHUB_TEST_HUB={DIRECTORY}"
"""In the environment of the hub and of all that it starts on the gateway, the proxy too."""

URL = f"http://{GATEWAY.address}:{HUB_PORT}"
"""The hub as the cluster's hosts reach it."""

START_TIMEOUT = 60.0


def default_site(port: int = HUB_PORT) -> str:
    """A site.toml for this cluster; ``port`` is the one of the machine's loopback that leads to the hub."""
    return f"""\
[hub]
url = "http://127.0.0.1:{port}"
bind = "http://0.0.0.0:{HUB_PORT}"
internal_url = "http://{GATEWAY.name}:8081"
state_directory = "{STATE_DIRECTORY}"

[login]
method = "pam"

[cluster.main]
scheduler = "slurm"
queue_interval = "5s"
starting_interval = "1s"

[environment]
path = "/shared/clusterhub/environments/current"

[[profile]]
name = "interactive"
title = "Interactive, up to 8 cores"
partition = "interactive"
cpus = {{ default = 1, max = 8 }}
memory = {{ default = "2 GiB", max = "16 GiB" }}
time = {{ default = "1h", max = "1d" }}

[[profile]]
name = "gpu"
title = "One GPU"
partition = "gpu"
cpus = 2
memory = "4 GiB"
gpus = {{ default = 1, max = 4, type = "h200" }}
time = {{ default = "1h", max = "1d" }}

[[profile]]
name = "debug"
title = "Ten minutes at once"
partition = "debug"
cpus = 1
memory = "1 GiB"
time = "10min"
"""


@dataclass(frozen=True)
class Hub:
    """A running hub."""

    pid: int
    """Process id of `clusterhub up`, as the machine sees it."""
    url: str = URL
    directory: Path = DIRECTORY
    log: Path = LOG
    site: Path = SITE


def virtual_environment() -> Path:
    """The venv that has `clusterhub`: CLUSTERHUB_VENV, else the one we run in, else the repository's."""
    named = os.environ.get("CLUSTERHUB_VENV")
    if named:
        return Path(named)
    for candidate in (Path(sys.prefix), REPOSITORY / ".venv"):
        if (candidate / "bin" / "clusterhub").exists():
            return candidate
    raise ClusterhubError(
        "There is no venv with clusterhub in it.",
        next=f"Make one at {REPOSITORY / '.venv'}, or name one with CLUSTERHUB_VENV, or use `up --no-hub`.",
    )


def start_hub(cluster: RealCluster, site_toml_text: str, *, venv: Path | None = None) -> Hub:
    """Start the hub as root on the gateway and wait until it answers.

    Starts over the state that an earlier hub left in the same cluster. Raises `ClusterhubError` with the last
    lines of the log if it dies or does not answer within a minute.
    """
    if hub_pid(cluster) is not None:
        raise ClusterhubError("The hub runs already.", where=str(PID_FILE))
    program = (venv or virtual_environment()) / "bin" / "clusterhub"
    DIRECTORY.mkdir(exist_ok=True)
    DIRECTORY.chmod(0o700)
    SITE.write_text(site_toml_text)
    PID_FILE.unlink(missing_ok=True)
    lines_before = len(_log_lines())
    subprocess.run(
        [
            *enter_argv(cluster.init_pid(GATEWAY.name)),
            *("setsid", "--fork", "sh", "-c", DETACHED, "sh", str(PID_FILE), str(LOG)),
            *("env", "-i", f"PATH={PATH}", "LANG=C.UTF-8", "HOME=/root", "USER=root", MARKER),
            *(str(program), "up", "--site", str(SITE)),
        ],
        cwd="/",
        check=True,
    )
    processes.wait_until(PID_FILE.exists, timeout=5)
    answered = processes.wait_until(
        lambda: answers(cluster) or hub_pid(cluster) is None, START_TIMEOUT, pause=0.1
    )
    pid = hub_pid(cluster)
    if not answered or pid is None:
        stop_hub(cluster)
        raise ClusterhubError(
            "The hub does not answer." if pid else "The hub died at its start.",
            where=str(LOG),
            log=_log_lines()[lines_before:][-15:],
        )
    return Hub(pid)


def _log_lines() -> tuple[str, ...]:
    return tuple(LOG.read_text(errors="replace").splitlines()) if LOG.exists() else ()


def answers(cluster: RealCluster) -> bool:
    """Whether the hub's API answers through its proxy, asked from the gateway."""
    connection = http.client.HTTPConnection(GATEWAY.address, HUB_PORT, timeout=5)
    try:
        connection.sock = cluster.connect(GATEWAY.name, GATEWAY.address, HUB_PORT)
        connection.request("GET", "/hub/api")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def hub_pid(cluster: RealCluster) -> int | None:
    """The process id of `clusterhub up` on the machine; None where it does not run."""
    try:
        inner = int(PID_FILE.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return processes.pids_by_inner_pid(cluster.init_pid(GATEWAY.name)).get(inner)


def hub_processes(cluster: RealCluster) -> dict[int, str]:
    """The hub and all that it started on the gateway: process id on the machine -> command line."""
    found = {}
    for pid in processes.pids_by_inner_pid(cluster.init_pid(GATEWAY.name)).values():
        if processes.has_environment(pid, MARKER.encode()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            found[pid] = b" ".join(words).decode(errors="replace").strip()
    return found


def stop_hub(cluster: RealCluster, timeout: float = 20.0) -> None:
    """End the hub the orderly way, then whatever it left (a proxy whose hub was killed)."""
    pid = hub_pid(cluster)
    if pid is not None:
        processes.kill([pid], signal.SIGTERM)
        processes.wait_until(lambda: not processes.is_alive(pid), timeout)
    kill_hub(cluster)


def kill_hub(cluster: RealCluster) -> None:
    """End the hub and its proxy with SIGKILL, as a power cut does."""
    processes.kill(hub_processes(cluster))
    processes.wait_until(lambda: not hub_processes(cluster), timeout=5)
    PID_FILE.unlink(missing_ok=True)


def restart_hub(cluster: RealCluster, site_toml_text: str | None = None, *, venv: Path | None = None) -> Hub:
    """Stop the hub and start it with the same site, or with another."""
    text = SITE.read_text() if site_toml_text is None else site_toml_text
    stop_hub(cluster)
    return start_hub(cluster, text, venv=venv)
