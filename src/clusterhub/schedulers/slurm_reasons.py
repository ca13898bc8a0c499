"""Why Slurm lets a job wait, in a person's words, with what the person can do.

Sources: squeue(1), "JOB REASON CODES"; ``job_reason_string()`` of 22.05 and the table in
``src/common/job_state_reason.c`` of later versions for the names; ``state_desc`` in slurmctld for the
sentences that it prints in place of a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from clusterhub.languages.text import _, joined
from clusterhub.schedulers.model import Job, WaitReason
from clusterhub.schedulers.slurm_limits import explain_limit

_WAIT = _("Nothing is to be done but to wait.")
_WONT = _("It will not start as it is: stop it, and choose another profile.")
_TELL = _("If it stays so, tell your operators.")
_RELEASE = _(
    "Release it with `scontrol release {job}`, or stop it and start again; if neither helps, "
    "tell your operators."
)
_LESS_TIME = _("Stop it, and choose less time, so that it ends before; or wait.")


@dataclass(frozen=True)
class _Words:
    why: str
    """A clause that goes on after "the job waits:". ``{0}`` stands for the first group of a pattern."""
    next: str = ""
    """What the person can do; ``{job}`` stands for the job's id."""
    competes: bool = False
    """Whether it waits for its turn, so that its position in the queue means something."""


_NOT_LOOKED_AT = frozenset({"", "None", "WaitingForScheduling"})

_NAMES = {
    "Priority": _Words(_("other jobs are ahead of it in the queue"), competes=True),
    "Resources": _Words(_("it is next, as soon as enough cores, memory or GPUs are free"), competes=True),
    "Licenses": _Words(_("no licence is free"), _("It starts when somebody gives one back."), competes=True),
    "MpiPortsBusy": _Words(_("no ports for parallel programs are free"), competes=True),
    "BurstBufferResources": _Words(_("no burst buffer is free"), competes=True),
    "PowerNotAvail": _Words(_("there is no power for more nodes at the moment"), competes=True),
    "PowerReserved": _Words(_("the power for more nodes is reserved for other jobs"), competes=True),
    "MaxPoweredUpNodes": _Words(_("as many nodes are powered up as may be at once"), competes=True),
    "ReqNodeNotAvail": _Words(
        _("the nodes that it needs are down, drained, reserved or in use"),
        joined([_("Choose another profile."), _TELL]),
    ),
    "Reservation": _Words(_("the reservation that it is for has not begun, or is full")),
    "ReservationDeleted": _Words(_("its reservation is gone"), _WONT),
    "ReservationInvalid": _Words(_("its reservation is not valid"), _WONT),
    "Dependency": _Words(_("another job has to end first")),
    "DependencyNeverSatisfied": _Words(_("it waits for another job, whose end can no longer suit it"), _WONT),
    "BeginTime": _Words(_("it is not to start before a certain time")),
    "JobHeldUser": _Words(_("it is held, by you or for you"), _RELEASE),
    "JobHeldAdmin": _Words(_("an operator holds it"), _("Ask your operators why.")),
    "JobHoldMaxRequeue": _Words(
        _("it was run again too often, and is held now"),
        _("Stop it and start again; if that fails too, tell your operators."),
    ),
    "JobArrayTaskLimit": _Words(_("as many tasks of its array run as may at once")),
    "SchedDefer": _Words(_("the scheduler puts off such jobs until its next round")),
    "Prolog": _Words(_("its nodes are being made ready")),
    "Cleaning": _Words(_("its former run is being cleaned up before it runs again")),
    "FedJobLock": _Words(_("the clusters of the federation agree on which of them runs it")),
    "BurstBufferStageIn": _Words(_("its files are being copied to the burst buffer")),
    "BurstBufferOperation": _Words(_("its burst buffer failed"), _("Tell your operators.")),
    "PartitionDown": _Words(
        _("the partition is closed: jobs may queue but none starts"),
        joined([_("Choose another profile."), _TELL]),
    ),
    "PartitionInactive": _Words(_("the partition is closed"), joined([_("Choose another profile."), _TELL])),
    "PartitionNodeLimit": _Words(
        _("it asks for more nodes than the partition gives, or they are down"),
        _("Choose less or another profile."),
    ),
    "PartitionTimeLimit": _Words(
        _("it asks for more time than the partition gives"), _("Stop it, and choose less time.")
    ),
    "PartitionConfig": _Words(_("the partition does not take such jobs"), _WONT),
    "MaxMemPerLimit": _Words(
        _("it asks for more memory than the partition gives"), _("Stop it, and choose less memory.")
    ),
    "AccountingPolicy": _Words(_("a limit of your account or of the quality of service keeps it waiting")),
    "AssociationJobLimit": _Words(
        _("your account runs as many jobs as it may"), _("It starts when one of them ends.")
    ),
    "AssociationResourceLimit": _Words(
        _("your account uses as much as it may"), _("It starts when some of its jobs end.")
    ),
    "AssociationTimeLimit": _Words(
        _("your account has used up its time"),
        _("Choose a profile with another account, or ask your operators for more."),
    ),
    "QOSJobLimit": _Words(
        _("as many jobs of this quality of service run as may at once"), _("It starts when one of them ends.")
    ),
    "QOSResourceLimit": _Words(
        _("the jobs of this quality of service use as much as they may"),
        _("It starts when some of them end."),
    ),
    "QOSTimeLimit": _Words(
        _("the time of this quality of service is used up"),
        _("Choose another profile, or ask your operators for more."),
    ),
    "QOSUsageThreshold": _Words(
        _("your account has used too much of late for this quality of service"),
        _("Choose another profile, or try again in some days."),
    ),
    "QOSNotAllowed": _Words(_("you may not use its quality of service in this partition"), _WONT),
    "AccountNotAllowed": _Words(_("its account may not use this partition"), _WONT),
    "InvalidAccount": _Words(_("its account is not valid any more"), _WONT),
    "InvalidQOS": _Words(_("its quality of service is not valid any more"), _WONT),
    "BadConstraints": _Words(_("no node has what it asks for"), _WONT),
    "Constraints": _Words(_("no node has what it asks for"), _WONT),
    "FrontEndDown": _Words(_("the computer that starts such jobs is down"), _TELL),
    "BlockMaxError": _Words(_("part of the machine has failed"), _TELL),
    "BlockFreeAction": _Words(_("part of the machine is being made ready")),
    # Reasons of an end, seen on a job that is to run again.
    "NodeDown": _Words(_("the node that it ran on failed; it is run again"), _WAIT),
    "SystemFailure": _Words(_("something failed in the cluster; it is run again"), _TELL),
    "JobLaunchFailure": _Words(_("it could not be started on its node; it is run again"), _TELL),
    "NonZeroExitCode": _Words(_("it ended with an error and is to run again"), _TELL),
    "RaisedSignal": _Words(_("it was ended by a signal and is to run again"), _TELL),
    "TimeLimit": _Words(_("it reached its time limit and is to run again"), _TELL),
    "InactiveLimit": _Words(_("it did nothing for too long and is to run again"), _TELL),
    "OutOfMemory": _Words(
        _("it had too little memory and is to run again"), _("Stop it, and start again with more memory.")
    ),
    "DeadLine": _Words(_("it could not end before its deadline"), _("Stop it, and choose less time.")),
}

_REQUEUED = _Words(
    _("the scheduler lets about two minutes pass before it runs a job again"),
    _WAIT,
)

_SENTENCES = (
    (
        r"ReqNodeNotAvail, ?UnavailableNodes: ?(\S+)",
        _Words(
            r"nodes that it needs are down or drained: {0}",
            joined([_("Choose another profile."), _TELL]),
        ),
    ),
    (
        r"ReqNodeNotAvail, ?Reserved for maintenance",
        _Words(_("the nodes are reserved for maintenance, which begins before it would end"), _LESS_TIME),
    ),
    (
        r"ReqNodeNotAvail, ?May be reserved for other job",
        _Words(_("the nodes that it needs may be reserved for another job"), _LESS_TIME),
    ),
    (
        r"Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
        _Words(
            r"the nodes that it needs are down, drained or kept for more urgent jobs",
            joined([_("Choose another profile, or wait."), _TELL]),
            competes=True,
        ),
    ),
    (
        r"launch failed requeued held|user env retrieval failed requeued held",
        _Words(_("it could not be started on its node, and is held now"), _RELEASE),
    ),
    (
        r"job requeued in held state|job requeued in special exit state",
        _Words(_("it was taken back and is held now"), _RELEASE),
    ),
    (r"Reservation (\S+) was deleted", _Words(_("its reservation {0} is gone"), _WONT)),
    (r"(?i:burst buffer) .*", _Words(_("its burst buffer failed"), _("Tell your operators."))),
)


def wait_reason(job: Job) -> WaitReason | None:
    """Why a queued job waits; None where the scheduler has not looked at it yet."""
    text = " ".join(job.reason.strip().removeprefix("(").removesuffix(")").split())
    if text in _NOT_LOOKED_AT:
        return None
    name = re.split(r"[,:]", text, maxsplit=1)[0]
    if name == "BeginTime" and job.restarts:
        return _said(job, name, _REQUEUED)
    for pattern, words in _SENTENCES:
        if found := re.fullmatch(pattern, text):
            one_word = name if re.fullmatch(r"\w+", name) else ""
            return _said(job, one_word, words, found.groups())
    if name in _NAMES:
        return _said(job, name, _NAMES[name])
    if limit := explain_limit(name):
        return WaitReason(name, *limit, competes=False)
    return WaitReason("", _("the scheduler says: {text}").format(text=text), competes=True)


def _said(job: Job, word: str, words: _Words, groups: tuple[str, ...] = ()) -> WaitReason:
    return WaitReason(
        word,
        words.why.format(*groups),
        words.next.format(job=job.id) if "{job}" in words.next else words.next,
        words.competes,
    )
