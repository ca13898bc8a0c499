"""The embedded engine: its commands and answers, and what only it has to promise."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterhub.schedulers.local import LocalScheduler
from clusterhub.schedulers.model import (
    CommandResult,
    Gpus,
    Job,
    JobState,
    Memory,
    Outcome,
    SchedulerError,
    SubmitRefused,
    SubmitUnclear,
)

from .requests import EMPTY, GIB

MIB = 1024**2


def answer(exit_code: int | None, stdout: str = "", stderr: str = "", problem: str = "") -> CommandResult:
    return CommandResult(exit_code, stdout, stderr, problem)


class TestCommands:
    local = LocalScheduler("/var/lib/engine", cpus=8, memory=16 * GIB, cluster="here")

    def test_a_request_becomes_options(self) -> None:
        request = replace(EMPTY, cpus=2, memory=Memory(GIB, "cpu"), working_directory="/scratch")
        assert self.local.submission(request).argv == (
            "local-engine",
            "submit",
            "--directory=/var/lib/engine",
            "--name=clusterhub",
            "--tag=clusterhub:hub.example.org:alice:",
            "--cpus=2",
            f"--memory={2 * GIB}",
            "--time=3600",
            "--output=/shared/sessions/alice/default-{job}.log",
            "--chdir=/scratch",
            "--capacity-cpus=8",
            f"--capacity-memory={16 * GIB}",
        )

    def test_what_is_not_asked_for_is_left_out(self) -> None:
        argv = LocalScheduler("/e").submission(EMPTY).argv
        assert [word.partition("=")[0] for word in argv if word.startswith("--")] == [
            "--directory",
            "--name",
            "--tag",
            "--cpus",
            "--time",
            "--output",
        ]

    @pytest.mark.parametrize("more", [{"nodes": 2}, {"gpus": Gpus(1)}])
    def test_what_one_machine_cannot_give_is_refused(self, more: dict[str, Any]) -> None:
        with pytest.raises(SubmitRefused, match="The local engine has no"):
            self.local.submission(replace(EMPTY, **more))

    def test_the_answers_to_a_submit(self) -> None:
        assert self.local.parse_submission(answer(0, "7\n")) == "7"
        with pytest.raises(SubmitRefused, match="cpus=9 is more"):
            self.local.parse_submission(answer(2, "", "local-engine: cpus=9 is more than all\n"))
        for unclear in (answer(None, "", "", "cut off"), answer(1, "", "Traceback"), answer(0, "")):
            with pytest.raises(SubmitUnclear):
                self.local.parse_submission(unclear)

    @pytest.mark.parametrize(
        "result", [answer(0, "{"), answer(0, '{"jobs": [{}]}'), answer(0), answer(1), answer(None)]
    )
    def test_a_queue_that_cannot_be_read_is_an_error(self, result: CommandResult) -> None:
        with pytest.raises(SchedulerError) as caught:
            self.local.parse_queue(result)
        assert caught.value.explanation.where == "local-engine queue on cluster here"

    def test_there_is_no_accounting(self) -> None:
        assert self.local.accounting(["7"]) is None


class RunningEngine:
    """An engine in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.scheduler = LocalScheduler(directory)

    def run(self, argv: tuple[str, ...], stdin: str = "") -> CommandResult:
        command = [*self.scheduler.programs()[argv[0]], *argv[1:]]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=False)
        return answer(done.returncode, done.stdout, done.stderr)

    def submit(self, body: str, **more: Any) -> str:
        log = str(self.directory / "log-{job}")
        submission = self.scheduler.submission(replace(EMPTY, body=body, log_path=log, **more))
        return self.scheduler.parse_submission(self.run(submission.argv, submission.stdin))

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
