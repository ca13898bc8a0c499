"""The embedded engine at work: what only it has to promise."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterhub.schedulers.local import LocalScheduler
from clusterhub.schedulers.model import (
    CommandResult,
    Job,
    JobState,
    Memory,
    Outcome,
    SubmitRefused,
    SubmitUnclear,
)

from .requests import EMPTY

MIB = 1024**2


class RunningEngine:
    """An engine in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.scheduler = LocalScheduler(directory)

    def run(self, argv: tuple[str, ...], stdin: str = "", cwd: Path | None = None) -> CommandResult:
        command = [*self.scheduler.programs()[argv[0]], *argv[1:]]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=30, check=False, cwd=cwd
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def submit(self, body: str, **more: Any) -> str:
        log = str(self.directory / "log-{job}")
        submission = self.scheduler.submission(replace(EMPTY, body=body, log_path=log, **more))
        return self.scheduler.parse_submission(self.run(submission.argv, submission.stdin))

    def estimate(self, cpus: int) -> float:
        request = replace(EMPTY, cpus=cpus, log_path=str(self.directory / "log-{job}"))
        return self.scheduler.parse_estimate(self.run(self.scheduler.estimate(request)))

    def job(self, job_id: str) -> Job:
        return self.scheduler.parse_queue(self.run(self.scheduler.queue()))[job_id]

    def record(self, job_id: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.directory / "jobs" / job_id / "record.json").read_text())
        return record

    def supervisor_ends(self, job_id: str, seconds: float = 20) -> bool:
        """Wait for the end of the process that supervises the job."""
        try:
            descriptor = os.pidfd_open(self.record(job_id)["supervisor"])
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([descriptor], [], [], seconds)[0])
        finally:
            os.close(descriptor)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RunningEngine]:
    running = RunningEngine(tmp_path)
    yield running
    assert running.run(running.scheduler.end_all()).exit_code == 0


def told(fifo: Path) -> str:
    """What a job writes into the fifo, once it does."""
    return fifo.read_text().strip()


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def gone(pid: int) -> bool:
    """True once that process is no more; a zombie runs no more either."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_ids_grow(engine: RunningEngine) -> None:
    assert [engine.submit("true") for _ in range(3)] == ["1", "2", "3"]


def test_a_job_whose_supervisor_was_killed_is_noticed_and_leaves_nothing_running(
    engine: RunningEngine, fifo: Path
) -> None:
    job_id = engine.submit(f"setsid sleep 300 & echo $! $$ > {fifo}; sleep 300")
    pids = [int(word) for word in told(fifo).split()]
    os.kill(engine.record(job_id)["supervisor"], signal.SIGKILL)
    assert engine.supervisor_ends(job_id)
    job = engine.job(job_id)
    assert (job.state, job.outcome, job.reason) == (JobState.ENDED, Outcome.NODE_FAILED, "SupervisorGone")
    assert [pid for pid in pids if not gone(pid)] == []


def test_a_job_from_before_a_reboot_is_noticed(engine: RunningEngine) -> None:
    job_id = engine.submit("true")
    assert engine.supervisor_ends(job_id)
    record = engine.record(job_id) | {
        "state": "running",
        "ended_at": None,
        "outcome": None,
        "boot": "another",
    }
    (engine.directory / "jobs" / job_id / "record.json").write_text(json.dumps(record))
    assert (engine.job(job_id).outcome, engine.job(job_id).reason) == (Outcome.NODE_FAILED, "Reboot")


def test_a_process_that_has_the_supervisors_number_by_now_is_no_supervisor(engine: RunningEngine) -> None:
    job_id = engine.submit("true")
    assert engine.supervisor_ends(job_id)
    record = engine.record(job_id)
    record |= {"state": "running", "ended_at": None, "outcome": None, "supervisor": os.getpid()}
    (engine.directory / "jobs" / job_id / "record.json").write_text(json.dumps(record))
    assert engine.run(engine.scheduler.cancellation(job_id)).exit_code == 0
    assert engine.job(job_id).reason == "SupervisorGone"


def test_more_memory_than_asked_for_ends_the_job(engine: RunningEngine) -> None:
    body = "exec /usr/bin/python3 -c 'import signal; held = bytearray(300 << 20); signal.pause()'"
    job_id = engine.submit(body, memory=Memory(100 * MIB))
    assert engine.supervisor_ends(job_id)
    job = engine.job(job_id)
    assert (job.outcome, job.signal) == (Outcome.OUT_OF_MEMORY, signal.SIGKILL)
    assert job.peak_memory is not None
    assert job.peak_memory > 100 * MIB


def test_a_job_is_warned_before_its_time_limit(engine: RunningEngine, fifo: Path) -> None:
    body = f"trap 'echo warned > {fifo}; exit 5' USR1; sleep 300 >&- 2>&- & wait"
    job_id = engine.submit(body, time_seconds=60, warning_seconds=59)
    assert told(fifo) == "warned"
    assert engine.supervisor_ends(job_id)
    assert engine.job(job_id).exit_code == 5


def test_what_a_job_leaves_behind_ends_with_it(engine: RunningEngine, fifo: Path) -> None:
    job_id = engine.submit(f"(setsid sleep 300 & echo $! > {fifo}) &\nwait")
    pid = int(told(fifo))
    assert engine.supervisor_ends(job_id)
    assert engine.job(job_id).outcome is Outcome.COMPLETED
    assert gone(pid)


def test_nothing_of_the_submitters_environment_reaches_the_job(
    engine: RunningEngine, fifo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    job_id = engine.submit(f"env > {fifo}")
    names = {line.partition("=")[0] for line in told(fifo).splitlines()}
    assert {
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "PATH",
        "CLUSTERHUB_JOB_ID",
        "CLUSTERHUB_RESTART",
    } <= names
    assert "SECRET" not in names
    assert engine.supervisor_ends(job_id)


def test_end_all_returns_when_nothing_runs_any_more(engine: RunningEngine, fifo: Path) -> None:
    running = engine.submit(f"echo $$ > {fifo}; sleep 300 & wait")
    pid = int(told(fifo))
    queued = engine.submit("true")
    assert engine.run(engine.scheduler.end_all()).exit_code == 0
    assert gone(pid)
    assert all(engine.job(job_id).state is JobState.ENDED for job_id in (running, queued))


def test_when_a_job_would_start_counts_what_runs_and_what_waits(engine: RunningEngine, fifo: Path) -> None:
    """Without those that wait in `local_engine.estimate.estimate` the last would start with the second."""
    engine.scheduler.cpus = 2
    now = pytest.approx(time.time(), abs=60)
    assert engine.estimate(2) == now
    engine.submit(f"echo > {fifo}; sleep 300 & wait", cpus=2)
    told(fifo)
    after_the_first = engine.estimate(2)
    assert after_the_first - 3600 == now
    engine.submit("true", cpus=2)
    assert engine.estimate(2) - 7200 == now


def test_an_idle_job_costs_no_cpu_time(engine: RunningEngine, fifo: Path) -> None:
    job_id = engine.submit(f"echo > {fifo}; sleep 300 & wait")
    told(fifo)
    stat = Path(f"/proc/{engine.record(job_id)['supervisor']}/stat")

    def wakings() -> int:
        status = stat.with_name("status").read_text()
        return int(status.partition("voluntary_ctxt_switches:")[2].split()[0])

    before = wakings()
    assert not engine.supervisor_ends(job_id, seconds=1.5)
    assert wakings() - before <= 1


def test_a_log_that_cannot_be_written_ends_the_job_with_that_reason(engine: RunningEngine) -> None:
    (engine.directory / "log-1").mkdir()
    job_id = engine.submit("true")
    assert engine.supervisor_ends(job_id)
    job = engine.job(job_id)
    assert job.outcome is Outcome.FAILED
    assert "Is a directory" in job.reason


def test_a_script_that_is_none_is_refused(engine: RunningEngine) -> None:
    argv = engine.scheduler.submission(EMPTY).argv
    with pytest.raises(SubmitRefused, match="does not begin with #!"):
        engine.scheduler.parse_submission(engine.run(argv, "echo no\n"))


def test_a_directory_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    beyond = RunningEngine(tmp_path / "file")
    submission = beyond.scheduler.submission(EMPTY)
    result = beyond.run(submission.argv, submission.stdin)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    with pytest.raises(SubmitUnclear, match="Not a directory"):
        beyond.scheduler.parse_submission(result)


def test_no_module_where_it_is_run_gets_in_its_way(
    engine: RunningEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("clusterhub.py", "json.py", "sitecustomize.py"):
        (tmp_path / module).write_text("raise SystemExit(70)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert engine.run(engine.scheduler.queue(), cwd=tmp_path) == CommandResult(0, '{"jobs": []}', "")


def test_what_another_version_writes_into_a_record_is_no_hindrance(engine: RunningEngine, fifo: Path) -> None:
    job_id = engine.submit(f"echo > {fifo}; sleep 300 & wait")
    told(fifo)
    record = engine.record(job_id)
    del record["peak_memory"]
    (engine.directory / "jobs" / job_id / "record.json").write_text(json.dumps(record | {"colour": "green"}))
    assert engine.job(job_id).state is JobState.RUNNING
    assert engine.run(engine.scheduler.cancellation(job_id)).exit_code == 0
    assert engine.supervisor_ends(job_id)
    assert engine.job(job_id).outcome is Outcome.CANCELLED


def test_a_look_at_the_queue_loads_nothing_that_takes_time(engine: RunningEngine) -> None:
    program, *arguments = engine.scheduler.queue()
    python, *options = engine.scheduler.programs()[program]
    done = subprocess.run(
        [python, "-X", "importtime", *options, *arguments], capture_output=True, text=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "clusterhub.schedulers.local_engine.supervision" in loaded
    assert loaded.isdisjoint({"asyncio", "ctypes", "dataclasses", "inspect", "socket", "subprocess"})


SUBMIT_WATCHED = """
import sys
from pathlib import Path
from clusterhub.schedulers.local_engine import records, submission

directory, late_imports = map(Path, sys.argv[1:])
asked = {"name": "clusterhub", "tag": "t", "cpus": 1, "memory": 1 << 30, "time": 600}
request = records.Request(
    **asked, output=f"{directory}/log", chdir=None, capacity_cpus=4, capacity_memory=None
)

def hook(event, arguments):
    if event == "import":
        with late_imports.open("a") as file:
            file.write(f"{arguments[0]}\\n")

late_imports.touch()
sys.addaudithook(hook)
print(submission.submit(directory, request, sys.stdin.buffer.read()))
"""


def test_a_supervisor_imports_nothing_late_as_its_version_may_be_gone_then(
    engine: RunningEngine, fifo: Path, tmp_path: Path
) -> None:
    late_imports = tmp_path / "late-imports"
    done = subprocess.run(
        [sys.executable, "-I", "-c", SUBMIT_WATCHED, engine.directory, late_imports],
        input=f"#!/bin/bash\necho > {fifo}; sleep 300 & wait",
        capture_output=True,
        text=True,
        check=True,
    )
    told(fifo)
    job_id = done.stdout.strip()
    assert engine.run(engine.scheduler.cancellation(job_id)).exit_code == 0
    assert engine.supervisor_ends(job_id)
    assert engine.job(job_id).outcome is Outcome.CANCELLED
    assert late_imports.read_text() == ""
