"""Running an outside command: it is cut off, and never surprises the caller."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from clusterhub.schedulers.command import run


async def test_exit_code_and_both_outputs_come_back() -> None:
    result = await run(("/bin/sh", "-c", "cat; echo two >&2; exit 3"), stdin="one")
    assert (result.exit_code, result.stdout, result.stderr, result.problem) == (3, "one", "two\n", "")


async def test_a_missing_program_is_an_answer() -> None:
    result = await run(("/nonexistent/squeue",))
    assert result.exit_code is None
    assert result.problem == "/nonexistent/squeue cannot be run: No such file or directory"


async def test_a_command_that_hangs_is_cut_off_with_its_children() -> None:
    result = await run(("/bin/sh", "-c", "echo begun; sleep 60 & wait"), timeout=0.3)
    assert result.exit_code is None
    assert result.stdout == "begun\n"
    assert result.problem == "/bin/sh gave no answer within 0.3 s"


async def test_a_command_that_prints_too_much_is_cut_off() -> None:
    result = await run(("/bin/sh", "-c", "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyy; done"), max_output=1000)
    assert result.exit_code is None
    assert result.problem == "/bin/sh printed more than 1000 bytes"


async def test_nothing_of_the_hubs_environment_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    result = await run(("/usr/bin/env",), environment={"SLURM_TIME_FORMAT": "%s"})
    assert {line.partition("=")[0] for line in result.stdout.splitlines()} == {
        "PATH",
        "LANG",
        "SLURM_TIME_FORMAT",
    }


async def test_bytes_that_are_no_text_can_be_had_back() -> None:
    result = await run(("/usr/bin/printf", r"\351"))
    assert result.stdout.encode("utf-8", "surrogateescape") == b"\xe9"


async def test_cancelling_the_caller_ends_the_command(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    os.mkfifo(pid_file)
    task = asyncio.create_task(run(("/bin/sh", "-c", f"echo $$ > {pid_file}; exec sleep 60")))
    pid = int(await asyncio.to_thread(pid_file.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
