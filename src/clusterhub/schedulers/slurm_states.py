"""Every word that Slurm 22.05 to 26.05 has for a job's state or a flag upon it.

Sources: ``enum job_states``, ``JOB_STATE_FLAGS`` and ``job_state_string()`` in Slurm's sources, and the JOB
STATE sections of squeue(1) and sacct(1). A flag hides the state under it in what squeue prints, so each flag
has the meaning that is true whatever lies below; a word that is not here is UNKNOWN and changes nothing.
"""

from __future__ import annotations

from clusterhub.schedulers.model import JobState, Outcome

STATES: dict[str, tuple[JobState, Outcome | None]] = {
    # states
    "PENDING": (JobState.QUEUED, None),
    "RUNNING": (JobState.RUNNING, None),
    "SUSPENDED": (JobState.SUSPENDED, None),
    "COMPLETED": (JobState.ENDED, Outcome.COMPLETED),
    "CANCELLED": (JobState.ENDED, Outcome.CANCELLED),
    "FAILED": (JobState.ENDED, Outcome.FAILED),
    "TIMEOUT": (JobState.ENDED, Outcome.TIME_LIMIT),
    "NODE_FAIL": (JobState.ENDED, Outcome.NODE_FAILED),
    "PREEMPTED": (JobState.ENDED, Outcome.PREEMPTED),
    "BOOT_FAIL": (JobState.ENDED, Outcome.BOOT_FAILED),
    "DEADLINE": (JobState.ENDED, Outcome.DEADLINE),
    "OUT_OF_MEMORY": (JobState.ENDED, Outcome.OUT_OF_MEMORY),
    # flags
    "CONFIGURING": (JobState.STARTING, None),
    "POWER_UP_NODE": (JobState.STARTING, None),
    "COMPLETING": (JobState.ENDING, None),
    "STAGE_OUT": (JobState.ENDING, None),
    "RESIZING": (JobState.RUNNING, None),
    "SIGNALING": (JobState.RUNNING, None),
    "STOPPED": (JobState.SUSPENDED, None),
    "REQUEUED": (JobState.QUEUED, None),
    "REQUEUE_FED": (JobState.QUEUED, None),
    "REQUEUE_HOLD": (JobState.QUEUED, None),
    "SPECIAL_EXIT": (JobState.QUEUED, None),
    "RESV_DEL_HOLD": (JobState.QUEUED, None),
    "EXPEDITING": (JobState.QUEUED, None),
    # Federations: this record is a shadow of a job that another cluster runs, so it says nothing of the job.
    "REVOKED": (JobState.UNKNOWN, None),
    # These three mark a job whose next state the controller has yet to decide: requeue, hold or failure.
    "LAUNCH_FAILED": (JobState.UNKNOWN, None),
    "RECONFIG_FAIL": (JobState.UNKNOWN, None),
    "UPDATE_DB": (JobState.UNKNOWN, None),
}


def read_state(word: str) -> tuple[JobState, Outcome | None]:
    """What a state word means. sacct's ``CANCELLED by 1001`` is read by its first word."""
    first = word.split(maxsplit=1)[0] if word.strip() else ""
    return STATES.get(first.rstrip("+"), (JobState.UNKNOWN, None))
