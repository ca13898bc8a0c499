"""Reading the controller's log: its lines are those that slurmctld 22.05.8 wrote."""

from __future__ import annotations

from tests.real_cluster.controller_log import Cancel, read_cancels

LOG = """\
[2026-11-23T08:24:19.757] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=1 uid 1001
[2026-11-23T08:24:19.757] job_signal: 9 of running JobId=1 successful 0x8004
[2026-11-23T08:24:19.786] SchedulerParameters=default_queue_depth=100,max_rpc_cnt=0,max_sched_time=2
[2026-11-23T08:24:23.040] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=2 uid 1001
[2026-11-23T08:24:23.040] job_signal: 10 of running JobId=2 successful 0x1
[2026-11-23T08:24:35.044] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=6 uid 0
[2026-11-23T08:24:35.045] job_signal: 9 of running JobId=6 successful 0x8004
[2026-11-23T08:24:38.019] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=7 uid 1002
[2026-11-23T08:24:38.019] error: Security violation, REQUEST_KILL_JOB RPC for JobId=7 from uid 1002
[2026-11-23T08:24:38.019] _slurm_rpc_kill_job: job_str_signal() uid=1002 JobId=7 sig=9 returned: denied
[2026-11-23T08:24:50.173] Requeuing JobId=11
[2026-11-23T08:24:55.058] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=13 uid 1001
[2026-11-23T08:24:55.058] job_signal: 9 of pending JobId=13 successful
[2026-11-23T08:24:55.570] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=13 uid 1001
[2026-11-23T08:24:55.579] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=99999 uid 1001
[2026-11-23T08:24:55.580] job_str_signal(3): invalid JobId=99999
"""


def test_every_cancel_is_told_with_who_asked_for_it_and_no_other_signal() -> None:
    assert read_cancels(LOG) == (
        Cancel("1", 1001),
        Cancel("6", 0),
        Cancel("7", 1002),
        Cancel("13", 1001),
        Cancel("13", 1001),
        Cancel("99999", 1001),
    )


def test_a_cancel_that_follows_a_signal_to_the_same_job_is_told() -> None:
    signal = "_slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=2 uid 1001\njob_signal: 10 of running JobId=2 ok\n"
    cancel = "_slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=2 uid 1001\njob_signal: 9 of running JobId=2 ok\n"
    assert read_cancels(signal + cancel) == (Cancel("2", 1001),)
