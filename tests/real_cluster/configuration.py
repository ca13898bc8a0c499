"""The text of the cluster's configuration files. Pure functions of the layout."""

from __future__ import annotations

from .layout import (
    CLUSTER_NAME,
    DATA,
    GATEWAY,
    GPU_TYPE,
    GPUS,
    HOSTS,
    N1,
    N2,
    USUAL_NODE,
    Node,
)

DATABASE = "slurm_acct_db"


def hosts_file() -> str:
    """/etc/hosts of every host."""
    lines = ["127.0.0.1 localhost", *(f"{host.address} {host.name}" for host in HOSTS.values())]
    return "\n".join(lines) + "\n"


WITH_CGROUPS = """\
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup"""

WITHOUT_CGROUPS = """\
# Memory is looked at every second; a job that has too much is killed and ends as FAILED.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherParams=OverMemoryKill"""


def slurm_conf(*, cgroups: bool, each: Node = USUAL_NODE) -> str:
    """slurm.conf: jobs start within a second, accounting is enforced, nodes claim more than there is."""
    controller = DATA / GATEWAY.name / "slurmctld"
    node = f"CPUs={each.cpus} RealMemory={each.memory_mb} State=UNKNOWN"
    return f"""\
ClusterName={CLUSTER_NAME}
SlurmctldHost={GATEWAY.name}({GATEWAY.address})
SlurmUser=slurm
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation={controller}/state
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmctldLogFile={controller}/log
SlurmdSpoolDir={DATA}/%n/slurmd/spool
SlurmdPidFile=/run/slurm/slurmd.pid
SlurmdLogFile={DATA}/%n/slurmd/log
SlurmdParameters=config_overrides
SlurmctldDebug=verbose
SlurmdDebug=verbose
LogTimeFormat=iso8601_ms
MailProg=/bin/true

{WITH_CGROUPS if cgroups else WITHOUT_CGROUPS}
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task={each.sample_seconds}
MpiDefault=none

SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=1000
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=10000,batch_sched_delay=0,sched_interval=2,bf_interval=2
# Jobs of the partition urgent push those of the spare ones aside, each in its way, and no others.
PreemptType=preempt/partition_prio
PreemptMode=SUSPEND,GANG
ReturnToService=2
SlurmdTimeout=300
UnkillableStepTimeout=120
MessageTimeout={each.patience_seconds}
BatchStartTimeout={each.patience_seconds}

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost={GATEWAY.name}
AccountingStorageEnforce=associations,limits,qos
AccountingStoreFlags=job_env,job_script,job_comment
AccountingStorageTRES=gres/gpu

NodeName={N1.name} NodeAddr={N1.address} {node} Feature=plain
NodeName={N2.name} NodeAddr={N2.address} {node} Feature=accelerated Gres=gpu:{GPU_TYPE}:{GPUS}
PartitionName=DEFAULT DefaultTime=1:00:00 MaxTime=1-00:00:00 PreemptMode=OFF
PartitionName=interactive Nodes={N1.name},{N2.name} Default=YES
PartitionName=batch Nodes={N1.name},{N2.name} MaxTime=7-00:00:00
PartitionName=gpu Nodes={N2.name}
PartitionName=debug Nodes={N1.name} DefaultTime=10:00 MaxTime=30:00 MaxNodes=1 MaxCPUsPerNode=2
PartitionName=urgent Nodes={N2.name} PriorityTier=10
PartitionName=spare-requeue Nodes={N2.name} PreemptMode=REQUEUE
PartitionName=spare-cancel Nodes={N2.name} PreemptMode=CANCEL
PartitionName=spare-suspend Nodes={N2.name} PreemptMode=SUSPEND OverSubscribe=FORCE:1
"""


def cgroup_conf() -> str:
    """cgroup.conf: only memory is held to its limit; nodes claim more CPUs than there are."""
    return """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
ConstrainCores=no
ConstrainDevices=no
"""


def gres_conf() -> str:
    """gres.conf: GPUs without hardware, on n2 (see `host_init.furnish` for the device files)."""
    devices = f"/run/gpu/card[0-{GPUS - 1}]"
    return f"AutoDetect=off\nNodeName={N2.name} Name=gpu Type={GPU_TYPE} File={devices}\n"


def slurmdbd_conf() -> str:
    """slurmdbd.conf; the database knows the user slurm by its socket, so there is no password."""
    return f"""\
DbdHost={GATEWAY.name}
DbdAddr={GATEWAY.address}
SlurmUser=slurm
AuthType=auth/munge
PidFile=/run/slurm/slurmdbd.pid
LogFile={DATA}/{GATEWAY.name}/slurmdbd/log
LogTimeFormat=iso8601_ms
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc={DATABASE}
"""


def database_init() -> str:
    """SQL that mariadbd runs at each start: database and user of slurmdbd."""
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
        "CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED VIA unix_socket;\n"
        f"GRANT ALL ON {DATABASE}.* TO slurm@localhost;\n"
    )
