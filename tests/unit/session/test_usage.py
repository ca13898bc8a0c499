"""What a session's job uses is told by its own cgroup, whichever version; without one by its processes.

With `job_part` returning the whole path the step's own cgroup would be taken for the job's; with `differ`
always true every idle session would speak to the hub every half minute.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clusterhub.session import usage
from clusterhub.session.usage import Meter, Process, differ, job_part, memory_of

MIB = 1 << 20


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(usage, "time", clock)
    return clock


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


JOB = "sys/system.slice/slurmstepd.scope/job_17"
V2 = "0::/system.slice/slurmstepd.scope/job_17/step_batch/user/task_0\n"


def test_of_a_cgroup_of_version_2_the_page_cache_does_not_count(tmp_path: Path, clock: Clock) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": V2,
            f"{JOB}/memory.current": f"{300 * MIB}\n",
            f"{JOB}/memory.stat": f"anon {200 * MIB}\ninactive_file {100 * MIB}\n",
            f"{JOB}/cpu.stat": "usage_usec 5000000\nuser_usec 1\n",
        },
    )
    meter = Meter("17", str(tmp_path / "proc"), str(tmp_path / "sys"))
    meter.look()
    assert meter.now is None  # how busy it is shows between two looks
    clock.now += 10
    write(tmp_path, {f"{JOB}/cpu.stat": "usage_usec 20000000\n"})
    meter.look()
    assert meter.now == {"memory": 200 * MIB, "millicores": 1500}


@pytest.mark.parametrize("cpu", ["cpuacct", "cpu,cpuacct"])
def test_of_cgroups_of_version_1_as_well(tmp_path: Path, clock: Clock, cpu: str) -> None:
    path = "slurm/uid_1000/job_17"
    write(
        tmp_path,
        {
            "proc/self/cgroup": f"9:memory:/{path}/step_batch\n4:cpu,cpuacct:/{path}\n1:name=systemd:/\n",
            f"sys/memory/{path}/memory.usage_in_bytes": f"{70 * MIB}\n",
            f"sys/memory/{path}/memory.stat": f"cache 1\ntotal_inactive_file {20 * MIB}\n",
            f"sys/{cpu}/{path}/cpuacct.usage": "1000000000\n",
        },
    )
    meter = Meter("17", str(tmp_path / "proc"), str(tmp_path / "sys"))
    meter.look()
    clock.now += 4
    write(tmp_path, {f"sys/{cpu}/{path}/cpuacct.usage": "2000000000\n"})
    meter.look()
    assert meter.now == {"memory": 50 * MIB, "millicores": 250}


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/a/job_17/step_batch/job_17", "/a/job_17"),
        ("/a/job_17", "/a/job_17"),
        ("/a/job_170", ""),
        ("/system.slice/slurmd.service", ""),
        ("/../job_17", ""),
        ("/", ""),
    ],
)
def test_only_the_jobs_own_cgroup_is_read(path: str, part: str) -> None:
    assert job_part(path, "17") == part
    assert job_part("/a/job_", "") == ""


def test_without_a_cgroup_it_is_this_process_and_all_below_it() -> None:
    meter = Meter("17", cgroups="/nowhere")
    meter.look()
    code = "held = bytearray(200 << 20); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        meter.look()
        with_child = meter.now
        child.stdin.write("\n")
    meter.look()
    assert with_child is not None
    assert meter.now is not None
    assert with_child["memory"] - meter.now["memory"] > 150 * MIB
    assert with_child["millicores"] >= 0


def test_a_programs_name_may_look_like_anything_and_shared_memory_counts_once() -> None:
    stat = b"5 (a) S 1 (x) S 1 5 5 0 -1 4194304 10 0 0 0 7 3 2 1 20 0 1 0 100 1 1"
    one = Process(5, stat, b"1000 300 100 0 0 0 0")
    assert (one.parent, one.ticks) == (1, 13)
    assert memory_of([one, one], 4096) == 4096 * (200 + 200 + 100)
    assert memory_of([], 4096) == 0


def test_the_hub_hears_of_it_when_it_has_changed_and_else_rarely(clock: Clock) -> None:
    meter = Meter("17")
    assert not meter.is_news
    meter.now = {"memory": 500 * MIB, "millicores": 0}
    assert meter.is_news
    meter.told(meter.now)
    clock.now += usage.PAUSE + 1
    assert not meter.is_news
    meter.now = {"memory": 600 * MIB, "millicores": 0}
    assert meter.is_news
    meter.told(meter.now)
    meter.now = {"memory": 1600 * MIB, "millicores": 0}
    assert not meter.is_news  # not again at once
    meter.now = {"memory": 601 * MIB, "millicores": 10}
    clock.now += usage.SILENCE
    assert meter.is_news  # a hub that was restarted knows nothing


def test_what_differs_little_is_no_news() -> None:
    told = {"memory": 100 << 30, "millicores": 500}
    assert not differ({"memory": 102 << 30, "millicores": 590}, told)
    assert differ({"memory": 100 << 30, "millicores": 600}, told)
    assert differ({"memory": 90 << 30, "millicores": 500}, told)


def test_no_process_is_counted_that_is_gone(tmp_path: Path) -> None:
    write(tmp_path, {"self/cgroup": "0::/\n", f"{os.getpid()}/stat": "", "7/stat": "7 (x"})
    meter = Meter("17", str(tmp_path), "/nowhere")
    meter.look()
    assert meter.now is None
