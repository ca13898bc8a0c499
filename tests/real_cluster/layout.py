"""What the cluster consists of: hosts, addresses, people, accounts, partitions and where things lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

DATA = Path("/var/lib/clusterhub-cluster")
"""All that `up` makes: state file, logs, databases, configuration. `down` removes it."""

CACHE = Path("/var/cache/clusterhub-cluster")
"""What is slow to build (session environment, empty database). Outlives `down`, not `down --purge`."""

SHARED = Path("/shared/clusterhub")
"""The file system that gateway and nodes share: `environments/` and `sessions/`."""

MARKER_NAME = "CLUSTERHUB_REAL_CLUSTER"
"""Environment variable of every process that `up` starts on the machine; `down` finds them by it."""


@dataclass(frozen=True)
class Host:
    """One host: the hostname and the address in the cluster's own network."""

    name: str
    address: str

    @property
    def directory(self) -> Path:
        """Where the host's daemons keep their files; each daemon has a directory of its name in it."""
        return DATA / self.name


@dataclass(frozen=True)
class Person:
    """A Unix user of the cluster with the Slurm account that the user belongs to."""

    name: str
    account: str
    groups: tuple[str, ...] = ()

    @property
    def password(self) -> str:
        """The password at login."""
        return f"{self.name}-password"

    @property
    def home(self) -> Path:
        """The home directory, the same on every host."""
        return Path("/home") / self.name


GATEWAY = Host("gateway", "10.77.0.1")
N1 = Host("n1", "10.77.0.11")
N2 = Host("n2", "10.77.0.12")
HOSTS = {host.name: host for host in (GATEWAY, N1, N2)}
NODES = (N1, N2)
SWITCH = Host("switch", "")
"""Not a computer: the network namespace that holds the bridge between the hosts."""

SERVICE_ACCOUNT = "clusterhub"
"""As whom the hub runs; made by `clusterhub setup`, removed by `down`."""
HUB_FILES = Path("/etc/clusterhub")
"""Where the gateway has a directory of its own for what `clusterhub setup` puts there."""
SETUP_OVERLAYS = ("/etc/sudoers.d", "/usr/libexec")
"""Directories to which it adds something. Only the gateway sees that: the machine stays as it is."""

SHARED_GROUP = "hpc-users"
PEOPLE = (
    Person("alice", "physics", (SHARED_GROUP,)),
    Person("bob", "physics", (SHARED_GROUP,)),
    Person("carol", "teaching"),
)
ACCOUNTS = ("physics", "teaching")
QOS = ("normal", "short")
PARTITIONS = (
    "interactive",
    "batch",
    "gpu",
    "debug",
    "urgent",
    "spare-requeue",
    "spare-cancel",
    "spare-suspend",
)

CLUSTER_NAME = "testbed"


@dataclass(frozen=True)
class Node:
    """What each node says that it has, whatever the machine has, and how closely it looks at its jobs."""

    cpus: int = 16
    memory_mb: int = 32000
    sample_seconds: int = 1
    """Every so many seconds each job's memory is looked at; 0: never, which leaves the machine to the jobs
    where there are many."""
    patience_seconds: int = 10
    """For so long Slurm waits for an answer, such as that a job was launched; after that it requeues the job
    and lets it wait for two minutes. 10 is its own default."""


USUAL_NODE = Node()
GPU_TYPE = "h200"
GPUS = 4
"""GPUs that n2 claims to have."""

HUB_PORT = 8000
"""Where the hub's proxy listens on the gateway."""

SLURM_BIN = Path("/usr/bin")
SLURM_SBIN = Path("/usr/sbin")
NEEDED_COMMANDS = {
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "sbatch": "slurm-wlm",
    "slurmdbd": "slurmdbd",
    "munged": "munge",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "sudo": "sudo",
    "useradd": "passwd",
}
"""Command -> the Debian package that has it."""
