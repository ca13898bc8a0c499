"""The shapes of the clusters that are recorded: configuration, and what is done to them before that.

Nodes claim what they have: each is a real slurmd, or one of a cloud, powered down until a job wants it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """One cluster."""

    name: str
    nodes: tuple[str, ...]
    """Lines of slurm.conf without address and port, which are added. A node of a cloud has no daemon."""
    partitions: tuple[str, ...]
    gres: tuple[str, ...] = ()
    """Lines of gres.conf; ``CARD`` stands for the path of a file that is taken for a device."""
    commands: tuple[str, ...] = ()
    """Run in order, split at blanks.

    ``JOB`` stands for sbatch with a script that sleeps, ``RESERVE`` for a reservation of two hours.
    """
    settings: tuple[str, ...] = ()
    """Further lines of slurm.conf."""

    @property
    def daemons(self) -> tuple[str, ...]:
        """The nodes that need a slurmd."""
        return tuple(line.split()[0] for line in self.nodes if "State=CLOUD" not in line)


def _cpu(name: str, more: str = "", *, sockets: int = 2, cores: int = 16, memory: int = 190_000) -> str:
    return f"{name} Sockets={sockets} CoresPerSocket={cores} RealMemory={memory} {more}".rstrip()


MIXED = Shape(
    "mixed",
    (
        *(_cpu(f"c{number}", "Feature=skylake,ib") for number in (1, 2, 3)),
        *(_cpu(f"m{number}", "Feature=milan,ib", cores=64, memory=510_000) for number in (1, 2)),
        _cpu("fat1", "Feature=milan,fat", sockets=4, cores=32, memory=4_000_000),
    ),
    (
        "batch Nodes=c[1-3],m[1-2] Default=YES MaxTime=3-00:00:00",
        "long Nodes=c[2-3] MaxTime=14-00:00:00 MaxNodes=1",
        "short Nodes=ALL MaxTime=1:00:00 PriorityTier=10",
        "fat Nodes=fat1 AllowAccounts=bio,chem",
        "attic Nodes=c3 Hidden=YES",
        "staff Nodes=m2,fat1 AllowGroups=staff,operators",
        "closed Nodes=c1 State=DOWN",
    ),
    commands=(
        "JOB --partition=batch --nodelist=c1 --cpus-per-task=5 --mem=20G",
        "JOB --partition=batch --nodelist=m1 --cpus-per-task=128 --mem=100G",
        "JOB --partition=short --nodelist=fat1 --cpus-per-task=7 --mem=1000G",
        "JOB --partition=long --nodelist=c2 --cpus-per-task=32 --mem=1G",
        "scontrol update NodeName=c3 State=DRAIN Reason=memory",
    ),
)

GPUS = Shape(
    "gpus",
    (
        _cpu("a1", "Gres=gpu:a100:4 Feature=a100"),
        _cpu("a2", "Gres=gpu:a100:4 Feature=a100"),
        _cpu("v1", "Gres=gpu:v100:2,gpu:p100:2 Feature=old"),
        _cpu("u1", "Gres=gpu:3 Feature=unnamed"),
        _cpu("u2", "Gres=gpu:8 Feature=unnamed"),
        _cpu("c1"),
    ),
    ("gpu Nodes=a[1-2],v1,u[1-2] Default=YES", "all Nodes=ALL", "a100 Nodes=a[1-2]"),
    gres=(
        "NodeName=a[1-2] Name=gpu Type=a100 File=CARD[0-3]",
        "NodeName=v1 Name=gpu Type=v100 File=CARD[0-1]",
        "NodeName=v1 Name=gpu Type=p100 File=CARD[2-3]",
        "NodeName=u1 Name=gpu File=CARD[0-2]",
        "NodeName=u2 Name=gpu File=CARD[0-7]",
    ),
    commands=(
        "JOB --nodelist=a1 --gres=gpu:a100:3 --cpus-per-task=6 --mem=10G",
        "JOB --nodelist=v1 --gres=gpu:p100:1 --cpus-per-task=2 --mem=10G",
        "JOB --nodelist=v1 --gres=gpu:1 --cpus-per-task=2 --mem=10G",
        "JOB --nodelist=u1 --gres=gpu:2 --cpus-per-task=2 --mem=10G",
        "JOB --nodelist=u2 --gres=gpu:5 --cpus-per-task=32 --mem=10G",
        "scontrol update NodeName=a2 State=DRAIN Reason=fans",
    ),
)

MIG = Shape(
    "mig",
    (
        _cpu("g1", "Gres=gpu:a100_1g.5gb:7,gpu:a100_3g.20gb:2,gpu:a100:2"),
        _cpu("g2", "Gres=gpu:a100_1g.5gb:14"),
        _cpu("g3", "Gres=gpu:a100_3g.20gb:8"),
    ),
    ("slices Nodes=g[1-3] Default=YES", "whole Nodes=g1"),
    gres=(
        "NodeName=g1 Name=gpu Type=a100_1g.5gb File=CARD[0-6]",
        "NodeName=g1 Name=gpu Type=a100_3g.20gb File=CARD[7-8]",
        "NodeName=g1 Name=gpu Type=a100 File=CARD[9-10]",
        "NodeName=g2 Name=gpu Type=a100_1g.5gb File=CARD[0-13]",
        "NodeName=g3 Name=gpu Type=a100_3g.20gb File=CARD[0-7]",
    ),
    commands=(
        "JOB --nodelist=g1 --gres=gpu:a100_1g.5gb:5 --mem=1G",
        "JOB --nodelist=g1 --gres=gpu:a100:1 --mem=1G",
        "JOB --nodelist=g2 --gres=gpu:a100_1g.5gb:9 --cpus-per-task=3 --mem=1G",
        "JOB --nodelist=g3 --gres=gpu:a100_3g.20gb:8 --cpus-per-task=8 --mem=1G",
    ),
)

RESERVED = Shape(
    "reserved",
    tuple(_cpu(f"n{number}", "Gres=gpu:l40s:2") for number in range(1, 8)),
    ("batch Nodes=n[1-7] Default=YES",),
    gres=("NodeName=n[1-7] Name=gpu Type=l40s File=CARD[0-1]",),
    commands=(
        "JOB --nodelist=n1 --cpus-per-task=4 --gres=gpu:1 --mem=1G",
        "RESERVE ReservationName=course StartTime=now Nodes=n[2-3]",
        "RESERVE ReservationName=repair StartTime=now Nodes=n4 Flags=MAINT,IGNORE_JOBS",
        "RESERVE ReservationName=later StartTime=now+1hour Nodes=n5",
        "JOB --reservation=course --nodelist=n2 --cpus-per-task=9 --mem=1G",
        "scontrol update NodeName=n6 State=DOWN Reason=dead",
        "scontrol update NodeName=n1 State=DRAIN Reason=soon",
    ),
)

WHOLE = Shape(
    "whole",
    (
        _cpu("t1", "ThreadsPerCore=2 CoreSpecCount=2 MemSpecLimit=8000"),
        _cpu("t2", "ThreadsPerCore=2 CoreSpecCount=2 MemSpecLimit=8000"),
        _cpu("t3", "ThreadsPerCore=2"),
    ),
    (
        "whole Nodes=t[1-3] OverSubscribe=EXCLUSIVE Default=YES",
        "shared Nodes=t[1-3] MaxCPUsPerNode=48",
        "users Nodes=t3 ExclusiveUser=YES",
    ),
    commands=("JOB --partition=shared --nodelist=t1 --cpus-per-task=4 --mem=1G",),
    settings=("TaskPluginParam=SlurmdOffSpec",),
)

LARGE = Shape(
    "large",
    (
        _cpu("c[1-3000]", "Feature=rome State=CLOUD", cores=64, memory=256_000),
        _cpu("g[1-500]", "Gres=gpu:h100:4 Feature=genoa State=CLOUD", cores=48, memory=768_000),
    ),
    (
        "standard Nodes=c[1-3000] Default=YES MaxTime=2-00:00:00",
        "gpu Nodes=g[1-500]",
        "debug Nodes=c[1-8],g[1-2] MaxTime=30:00",
    ),
    gres=("NodeName=g[1-500] Name=gpu Type=h100 File=CARD[0-3]",),
    commands=(
        "JOB --partition=standard --nodes=1200 --ntasks=1200 --cpus-per-task=128",
        "JOB --partition=standard --nodes=300 --ntasks=300 --cpus-per-task=40 --mem=64G",
        "JOB --partition=gpu --nodes=150 --ntasks=150 --gres=gpu:h100:3 --cpus-per-task=12 --mem=100G",
        "scontrol update NodeName=c[2990-3000],g[490-500] State=DRAIN Reason=rack",
        "RESERVE ReservationName=benchmark StartTime=now Nodes=c[2900-2920]",
    ),
    settings=(
        "SuspendProgram=/bin/true",
        "ResumeProgram=/bin/true",
        "SuspendTime=86400",
        "ResumeTimeout=3600",
        "TreeWidth=65533",
        "PrivateData=cloud",  # else nodes that are powered down are not shown at all
    ),
)

SHAPES = (MIXED, GPUS, MIG, RESERVED, WHOLE, LARGE)
