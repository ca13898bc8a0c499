"""Hubs on the cluster's gateway: start, stop, kill, restart. Everything about one lies in one directory.

There is one at the usual place; tests of two hubs on one cluster name another. It runs as an account of its
own, for which `clusterhub setup` makes what it needs, unless its place says that it runs as root.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from clusterhub.errors import ClusterhubError
from clusterhub.site.loading import load

from . import people, processes, state
from .cluster import RealCluster
from .daemons import DETACHED
from .hosts import PATH, enter_argv
from .layout import DATA, GATEWAY, HUB_PORT, REPOSITORY, SERVICE_ACCOUNT


@dataclass(frozen=True)
class Place:
    """Where a hub is: its directory, and the port of its proxy on the gateway."""

    directory: Path
    port: int
    account: str = SERVICE_ACCOUNT
    """As whom it runs."""

    @property
    def site(self) -> Path:
        """Its site.toml."""
        return self.directory / "site.toml"

    @property
    def log(self) -> Path:
        """What hub and proxy write."""
        return self.directory / "log"

    @property
    def pid_file(self) -> Path:
        """Holds the process id of `clusterhub up` as the gateway sees it."""
        return self.directory / "pid"

    @property
    def marker(self) -> str:
        """In the environment of the hub and of all that it starts on the gateway, the proxy too."""
        return f"CLUSTERHUB_TEST_HUB={self.directory}"


USUAL = Place(DATA / "hub", HUB_PORT)
DIRECTORY = USUAL.directory
SITE = USUAL.site
LOG = USUAL.log
MARKER = USUAL.marker
STATE_DIRECTORY = DIRECTORY / "state"

URL = f"http://{GATEWAY.address}:{HUB_PORT}"
"""The hub as the cluster's hosts reach it."""

START_TIMEOUT = 60.0

UNIT = REPOSITORY / "deploy" / "clusterhub.service"
"""How sites run the hub; ours gets no more capabilities than that."""
SET_UP = DATA / "gateway" / "set-up"
"""The site that `clusterhub setup` was run for last."""


def default_site(port: int = HUB_PORT) -> str:
    """A site.toml for this cluster; ``port`` is the one of the machine's loopback that leads to the hub."""
    return f"""\
[hub]
url = "http://127.0.0.1:{port}"
bind = "http://0.0.0.0:{HUB_PORT}"
internal_url = "https://{GATEWAY.name}:8081"
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


def start_hub(
    cluster: RealCluster, site_toml_text: str, *, venv: Path | None = None, place: Place = USUAL
) -> Hub:
    """Start the hub on the gateway, as the place's account, and wait until it answers.

    Starts over the state that an earlier hub left in the same cluster. Raises `ClusterhubError` with the last
    lines of the log if it dies or does not answer within a minute.
    """
    if hub_pid(cluster, place) is not None:
        raise ClusterhubError("The hub runs already.", where=str(place.pid_file))
    program = str((venv or virtual_environment()) / "bin" / "clusterhub")
    place.directory.mkdir(exist_ok=True)
    give_to_read(place.directory)
    place.site.write_text(site_toml_text)
    give_to_read(place.site)
    place.pid_file.unlink(missing_ok=True)
    credentials: tuple[str, ...] = ()
    if place.account != "root":
        set_up(cluster, program, place, site_toml_text)
        credentials = credentials_of(place.account)
    lines_before = len(_log_lines(place))
    subprocess.run(
        [
            *enter_argv(cluster.init_pid(GATEWAY.name)),
            *("setsid", "--fork", "sh", "-c", DETACHED, "sh", str(place.pid_file), str(place.log)),
            *("env", "-i", f"PATH={PATH}", "LANG=C.UTF-8", place.marker, *credentials),
            *(program, "up", "--site", str(place.site)),
        ],
        cwd="/",
        check=True,
    )
    processes.wait_until(place.pid_file.exists, timeout=5)
    answered = processes.wait_until(
        lambda: answers(cluster, place) or hub_pid(cluster, place) is None, START_TIMEOUT, pause=0.1
    )
    pid = hub_pid(cluster, place)
    if not answered or pid is None:
        stop_hub(cluster, place=place)
        raise ClusterhubError(
            "The hub does not answer." if pid else "The hub died at its start.",
            where=str(place.log),
            log=_log_lines(place)[lines_before:][-15:],
        )
    return Hub(pid, log=place.log, site=place.site, directory=place.directory)


def credentials_of(account: str) -> tuple[str, ...]:
    """The beginning of a command line that runs what follows as systemd runs it by our unit.

    No groups but the account's own, and no capability but those that what is run through sudo may have.
    """
    named = re.search(r"^CapabilityBoundingSet=(.+)$", UNIT.read_text(), re.MULTILINE)
    assert named is not None
    bounding = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in named[1].split())
    return (
        *("setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups"),
        *("--inh-caps=-all", f"--bounding-set=-all,{bounding}", "--"),
    )


def set_up(cluster: RealCluster, program: str, place: Place, site_toml_text: str) -> None:
    """Run `clusterhub setup` on the gateway, unless all that it makes is there for this very site."""
    done = SET_UP.read_text() if SET_UP.exists() else ""
    if done == site_toml_text and _owns_state(place):
        return
    SET_UP.unlink(missing_ok=True)
    command = [program, "setup", "--site", str(place.site), "--account", place.account]
    answer = cluster.run(GATEWAY.name, command, timeout=120)
    if answer.returncode != 0:
        raise ClusterhubError(
            "The hub could not be set up.",
            where=" ".join(command),
            log=tuple((answer.stdout + answer.stderr).splitlines()),
        )
    SET_UP.write_text(site_toml_text)


def _owns_state(place: Place) -> bool:
    """Whether the account has the state directory."""
    path = load(place.site).hub.state_directory
    return path.exists() and path.owner() == place.account


def give_to_read(path: Path) -> None:
    """Root's, for the hub's account to read, and nobody else."""
    people.ensure_service_account(state.load())
    shutil.chown(path, "root", SERVICE_ACCOUNT)
    path.chmod(0o750 if path.is_dir() else 0o640)


def _log_lines(place: Place) -> tuple[str, ...]:
    return tuple(place.log.read_text(errors="replace").splitlines()) if place.log.exists() else ()


def answers(cluster: RealCluster, place: Place = USUAL) -> bool:
    """Whether the hub's API answers through its proxy, asked from the gateway."""
    connection = http.client.HTTPConnection(GATEWAY.address, place.port, timeout=5)
    try:
        connection.sock = cluster.connect(GATEWAY.name, GATEWAY.address, place.port)
        site = place.site.read_text() if place.site.exists() else ""  # another system has none
        if "\ncertificate " in site:  # whether it is a good one is another question
            connection.sock = ssl._create_unverified_context().wrap_socket(connection.sock)  # noqa: S323
        connection.request("GET", "/hub/api")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def hub_pid(cluster: RealCluster, place: Place = USUAL) -> int | None:
    """The process id of `clusterhub up` on the machine; None where it does not run."""
    try:
        inner = int(place.pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return processes.pids_by_inner_pid(cluster.init_pid(GATEWAY.name)).get(inner)


def hub_processes(cluster: RealCluster, place: Place = USUAL) -> dict[int, str]:
    """The hub and all that it started on the gateway: process id on the machine -> command line."""
    found = {}
    for pid in processes.pids_by_inner_pid(cluster.init_pid(GATEWAY.name)).values():
        if processes.has_environment(pid, place.marker.encode()):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            found[pid] = b" ".join(words).decode(errors="replace").strip()
    return found


def stop_hub(cluster: RealCluster, timeout: float = 20.0, *, place: Place = USUAL) -> None:
    """End the hub the orderly way, then whatever it left (a proxy whose hub was killed)."""
    pid = hub_pid(cluster, place)
    if pid is not None:
        processes.kill([pid], signal.SIGTERM)
        processes.wait_until(lambda: not processes.is_alive(pid), timeout)
    kill_hub(cluster, place)


def kill_hub(cluster: RealCluster, place: Place = USUAL) -> None:
    """End the hub and its proxy with SIGKILL, as a power cut does."""
    processes.kill(hub_processes(cluster, place))
    processes.wait_until(lambda: not hub_processes(cluster, place), timeout=5)
    place.pid_file.unlink(missing_ok=True)


def restart_hub(cluster: RealCluster, site_toml_text: str | None = None, *, venv: Path | None = None) -> Hub:
    """Stop the hub and start it with the same site, or with another."""
    text = SITE.read_text() if site_toml_text is None else site_toml_text
    stop_hub(cluster)
    return start_hub(cluster, text, venv=venv)
