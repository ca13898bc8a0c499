"""The table of site.toml about a scheduler: `[cluster.NAME]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import PrivateAttr

from clusterhub.site.addresses import PATH, PLAIN_PATH
from clusterhub.site.directives import DIRECTIVE
from clusterhub.site.kinds import COUNT, DURATION, SIZE, ListOf, matching, one_of
from clusterhub.site.section import Section, key

SCHEDULER = one_of("a scheduler that clusterhub knows", "slurm", "local")
JOB_NAME = matching(
    "a job's name",
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}",
    'letters, digits, "_", "." and "-", at most 64, such as "clusterhub"',
)
Directives = Annotated[
    tuple[Annotated[str, DIRECTIVE], ...],
    ListOf("list of options", 'a list such as ["--licenses=matlab"]', may_be_empty=True),
]

ONLY_FOR = {
    "configuration": "slurm",
    "directives": "slurm",
    "directory": "local",
    "cpus": "local",
    "memory": "local",
}
"""Keys that mean something to one scheduler only."""


class Cluster(Section):
    """One scheduler to submit to."""

    heading: ClassVar[str] = "[cluster.NAME]"
    about: ClassVar[str] = (
        "One scheduler to submit to, under a name of your choice (lower-case letters and digits). "
        "One is needed; several are possible. `local` runs sessions as processes of this machine."
    )

    _name: str = PrivateAttr(default="")

    scheduler: Annotated[Literal["slurm", "local"], SCHEDULER] = key(
        "Which batch system it is.", example="slurm"
    )
    commands: Annotated[Path, PATH] | None = key(
        "Directory of the scheduler's commands (`sbatch`, `squeue` ...).",
        example="/opt/slurm/bin",
        default=None,
        derived="they are looked for in `PATH`",
    )
    job_name: Annotated[str, JOB_NAME] = key(
        "Name of all jobs of this hub, by which it finds them in the queue; after a change it no longer "
        "sees the sessions that run.",
        example="jupyter",
        default="clusterhub",
    )
    queue_interval: Annotated[int, DURATION] = key(
        "How often the queue is looked at, once for all sessions.",
        example="1min",
        default=30,
        derived='`"30s"`',
    )
    starting_interval: Annotated[int, DURATION] = key(
        "How often the queue is looked at while somebody waits for a session to start.",
        example="5s",
        default=2,
        derived='`"2s"`',
    )
    directives: Directives = key(
        "Slurm only: options of `sbatch` for every job, beyond those that clusterhub sets.",
        example=["--licenses=matlab"],
        default=(),
    )
    configuration: Annotated[Path, PATH] | None = key(
        "Slurm only: path of `slurm.conf`, handed to its commands as `SLURM_CONF`.",
        example="/etc/slurm/slurm.conf",
        default=None,
        derived="Slurm's own",
    )
    directory: Annotated[Path, PLAIN_PATH] | None = key(
        "Local only: where the records of jobs are kept.",
        example="/var/lib/clusterhub/local/main",
        default=None,
        derived="`local/NAME` in the hub's `state_directory`",
    )
    cpus: Annotated[int, COUNT] | None = key(
        "Local only: how many CPUs all sessions together may use.",
        example=4,
        default=None,
        derived="all of the machine's",
    )
    memory: Annotated[int, SIZE] | None = key(
        "Local only: how much memory all sessions together may use.",
        example="16 GiB",
        default=None,
        derived="all of the machine's",
    )

    @property
    def name(self) -> str:
        """What the site file calls this cluster."""
        return self._name
