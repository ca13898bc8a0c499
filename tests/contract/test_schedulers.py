"""What every scheduler must do, whatever it is: the same tests for each engine, for real.

Each fails where the adapter leaves out, or reads otherwise, what it speaks of: the tag of a submission, the
word for a state, the exit code, the prologue or the epilogue of the script.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest
from tests.contract.engines import PATIENCE, Engine, wait_until

from clusterhub.schedulers.model import CommandResult, JobState, Memory, Outcome, Snapshot, SubmitRefused
from clusterhub.schedulers.script import PROLOGUE_FAILED, PROLOGUE_FAILED_LINE
from clusterhub.schedulers.watch import Watch

OVER = (JobState.ENDED,)
UNTIL_TOLD = "sleep 300 & wait"


def test_a_submitted_job_is_found_by_its_tag_and_its_person(engine: Engine) -> None:
    request = engine.request("found", UNTIL_TOLD)
    job_id = engine.submit(request)
    (job,) = Snapshot(jobs=engine.queue()).with_tag(request.tag, engine.person)
    assert (job.id, job.name, job.person) == (job_id, request.name, engine.person)
    assert job.state.is_live
    engine.cancel(job_id)


def test_two_jobs_have_two_ids_and_can_be_told_apart(engine: Engine) -> None:
    first, second = (engine.submit(engine.request(name, "true")) for name in ("one", "two"))
    assert first != second
    assert engine.wait(first, *OVER).tag != engine.wait(second, *OVER).tag


def test_a_job_waits_then_runs_then_ends(engine: Engine) -> None:
    blocker = engine.submit(engine.request("blocker", UNTIL_TOLD, cpus=2))
    engine.wait(blocker, JobState.RUNNING)
    release = engine.files / "release"
    body = f"until [ -e {release} ]; do sleep 0.1; done"
    job_id = engine.submit(engine.behind(blocker, engine.request("waits", body)))
    waiting = engine.wait(job_id, JobState.QUEUED)
    assert (waiting.started_at, waiting.nodes, waiting.outcome) == (None, (), None)
    assert waiting.submitted_at is not None
    engine.cancel(blocker)
    running = engine.wait(job_id, JobState.RUNNING)
    assert running.started_at is not None
    assert running.ends_at == pytest.approx(running.started_at + 600, abs=61)
    assert len(running.nodes) == 1
    engine.touch(release)
    ended = engine.wait(job_id, *OVER)
    assert (ended.outcome, ended.exit_code, ended.restarts) == (Outcome.COMPLETED, 0, 0)


def test_when_a_job_would_start_is_told_without_submitting_one(engine: Engine) -> None:
    """Fails where an estimate submits, or its time is read in another format than it is printed in."""
    request = engine.request("estimated", "true")
    assert engine.estimate(request) == pytest.approx(time.time(), abs=30)
    assert Snapshot(jobs=engine.queue()).with_tag(request.tag) == ()


def test_a_queued_job_says_why_it_waits(engine: Engine) -> None:
    blocker = engine.submit(engine.request("holder", UNTIL_TOLD, cpus=2))
    job_id = engine.submit(engine.behind(blocker, engine.request("reason", "true")))
    wait_until(lambda: engine.queue()[job_id].reason != "", lambda: "there is no reason")
    assert engine.queue()[job_id].state is JobState.QUEUED
    for each in (job_id, blocker):
        engine.cancel(each)


def test_the_exit_code_is_reported(engine: Engine) -> None:
    job = engine.wait(engine.submit(engine.request("exit", "exit 7")), *OVER)
    assert (job.outcome, job.exit_code, job.signal) == (Outcome.FAILED, 7, None)


def test_a_signal_is_reported(engine: Engine) -> None:
    job = engine.wait(engine.submit(engine.request("signal", "kill -9 $$")), *OVER)
    assert (job.outcome, job.signal) == (Outcome.FAILED, 9)


def test_a_queued_job_can_be_cancelled(engine: Engine) -> None:
    blocker = engine.submit(engine.request("before", UNTIL_TOLD, cpus=2))
    job_id = engine.submit(engine.behind(blocker, engine.request("queued", "true")))
    engine.wait(job_id, JobState.QUEUED)
    engine.cancel(job_id)
    job = engine.wait(job_id, *OVER)
    assert (job.outcome, job.started_at) == (Outcome.CANCELLED, None)
    engine.cancel(blocker)


def test_a_running_job_can_be_cancelled_and_cancelling_twice_is_fine(engine: Engine) -> None:
    job_id = engine.submit(engine.request("running", UNTIL_TOLD))
    engine.wait(job_id, JobState.RUNNING)
    engine.cancel(job_id)
    engine.cancel(job_id)
    assert engine.wait(job_id, *OVER).outcome is Outcome.CANCELLED
    engine.cancel(job_id)


def test_cancelling_a_job_that_never_was_is_no_error(engine: Engine) -> None:
    engine.cancel("987654")


def test_the_time_limit_ends_a_job(engine: Engine) -> None:
    job_id = engine.submit(engine.request("limit", UNTIL_TOLD, time_seconds=2))
    engine.wait(job_id, JobState.RUNNING)
    engine.expire(job_id)
    job = engine.wait(job_id, *OVER)
    assert job.outcome is Outcome.TIME_LIMIT


def test_the_log_has_what_went_to_both_outputs(engine: Engine) -> None:
    job_id = engine.submit(engine.request("log", "echo out; echo err >&2"))
    engine.wait(job_id, *OVER)
    wait_until(lambda: engine.log("log", job_id) == "out\nerr\n", lambda: engine.log("log", job_id))


def test_a_failing_prologue_is_told_from_a_failing_body(engine: Engine) -> None:
    request = engine.request("prologue", "echo body", prologue="echo prologue\n(exit 3)")
    job = engine.wait(job_id := engine.submit(request), *OVER)
    assert (job.outcome, job.exit_code) == (Outcome.FAILED, PROLOGUE_FAILED)
    lines = f"prologue\n{PROLOGUE_FAILED_LINE}3\n"
    wait_until(lambda: engine.log("prologue", job_id) == lines, lambda: engine.log("prologue", job_id))


def test_the_epilogue_runs_when_the_job_is_cancelled(engine: Engine) -> None:
    request = engine.request("epilogue", f"echo body; {UNTIL_TOLD}", epilogue="echo epilogue")
    job_id = engine.submit(request)
    wait_until(lambda: "body\n" in engine.log("epilogue", job_id), lambda: "the body has not begun")
    engine.cancel(job_id)
    assert engine.wait(job_id, *OVER).outcome is Outcome.CANCELLED
    wait_until(lambda: "epilogue\n" in engine.log("epilogue", job_id), lambda: engine.log("epilogue", job_id))


def test_a_refused_request_leaves_nothing_that_could_run(engine: Engine) -> None:
    request = engine.request("refused", "true", memory=Memory(1024**5))
    with pytest.raises(SubmitRefused) as caught:
        engine.submit(request)
    assert caught.value.explanation.next
    left = Snapshot(jobs=engine.queue()).with_tag(request.tag)
    # Slurm keeps a record of some requests that it refused, as failed.
    assert not [job for job in left if not job.state.is_over]


def test_the_job_has_a_clean_environment_at_home(engine: Engine) -> None:
    job_id = engine.submit(engine.request("environment", 'echo "$HOME|$PWD|$USER|$PATH|${SUDO_USER-}"'))
    engine.wait(job_id, *OVER)
    wait_until(lambda: engine.log("environment", job_id) != "", lambda: "the log is empty")
    home, directory, user, path, _ = engine.log("environment", job_id).strip().split("|")
    assert home == directory
    assert user == engine.person
    assert "/usr/bin" in path.split(":")


def test_a_directory_that_was_asked_for_is_where_the_job_starts(engine: Engine) -> None:
    job_id = engine.submit(engine.request("directory", "pwd", working_directory=str(engine.files)))
    engine.wait(job_id, *OVER)
    wait_until(lambda: engine.log("directory", job_id) != "", lambda: "the log is empty")
    assert engine.log("directory", job_id) == f"{engine.files}\n"


def test_a_comment_of_many_bytes_and_every_sign_is_no_trouble_for_the_queue(engine: Engine) -> None:
    tag = "x|y\n1           RUNNING  é" + "z" * 400
    job_id = engine.submit(engine.request("hostile", UNTIL_TOLD, tag=tag))
    assert engine.queue()[job_id].person == engine.person
    assert engine.queue()[job_id].state.is_live
    engine.cancel(job_id)


async def test_the_watch_sees_a_job_from_the_submit_to_its_end(engine: Engine) -> None:
    async def run(argv: tuple[str, ...], *, environment: Mapping[str, str], timeout: float) -> CommandResult:  # noqa: ARG001 - the engine has its own
        (program,) = (name for name, prefix in programs.items() if prefix == argv[: len(prefix)])
        return await asyncio.to_thread(engine.as_hub, (program, *argv[len(programs[program]) :]))

    programs = engine.scheduler.programs()
    watch = Watch(engine.scheduler, starting_interval=0.2, per_minute=600, run=run)
    release = engine.files / "release-watch"
    body = f"until [ -e {release} ]; do sleep 0.1; done; exit 7"
    job_id = await asyncio.to_thread(engine.submit, engine.request("watched", body))
    try:
        with watch.urgent():
            snapshot = await watch.refresh()
            while (job := snapshot.jobs[job_id]).state is not JobState.RUNNING:
                snapshot = await watch.changed(snapshot, PATIENCE)
            assert job.nodes
            assert not watch.is_over(job_id)
            await asyncio.to_thread(engine.touch, release)
            ending = await watch.until_over(job_id, PATIENCE)
    finally:
        await watch.close()
    assert ending is not None
    assert (ending.outcome, ending.exit_code, ending.tag) == (Outcome.FAILED, 7, job.tag)
