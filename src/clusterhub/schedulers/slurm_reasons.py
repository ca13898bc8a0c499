"""Why Slurm lets a job wait, in a person's words (squeue(1), "JOB REASON CODES")."""

from __future__ import annotations

REASONS = {
    "None": "the scheduler has not looked at it yet",
    "Priority": "other jobs are ahead of it in the queue",
    "Resources": "it is next, as soon as enough cores, memory or GPUs are free",
    "Dependency": "it waits for another job to end",
    "BeginTime": "the scheduler was told not to start it before a certain time",
    "JobHeldUser": "it is held; release it with `scontrol release`",
    "JobHeldAdmin": "an operator holds it",
    "Licenses": "no licence is free",
    "PartitionDown": "the partition is closed at the moment",
    "PartitionInactive": "the partition is closed at the moment",
    "PartitionNodeLimit": "it asks for more than the partition has; choose less or another profile",
    "PartitionTimeLimit": "it asks for more time than the partition allows; choose less",
    "ReqNodeNotAvail": "the nodes that it needs are down, drained or reserved",
    "Reservation": "its reservation has not begun",
    "ReservationDeleted": "its reservation is gone; start again without it",
    "QOSMaxJobsPerUserLimit": "you already run as many jobs as allowed; it starts when one ends",
    "QOSMaxCpuPerUserLimit": "you already use as many cores as allowed; it starts when a job of yours ends",
    "AssocMaxJobsLimit": "your account runs as many jobs as allowed; it starts when one ends",
    "AssocGrpCpuLimit": "your account uses as many cores as allowed; it starts when a job of it ends",
    "AssocGrpCPUMinutesLimit": "your account has used up its core hours; choose another account",
    "InvalidAccount": "the account is not valid any more; choose another one",
    "InvalidQOS": "the quality of service is not valid any more; choose another one",
}
