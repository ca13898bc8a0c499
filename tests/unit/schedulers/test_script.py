"""The job script, run by a real bash."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from clusterhub.schedulers.script import PROLOGUE_FAILED, PROLOGUE_FAILED_LINE, compose

from .requests import EMPTY


def script(body: str, prologue: str = "", epilogue: str = "") -> str:
    return compose(replace(EMPTY, body=body, prologue=prologue, epilogue=epilogue, working_directory="/tmp"))  # noqa: S108 - any directory


def run(body: str, prologue: str = "", epilogue: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", "-s"],
        input=script(body, prologue, epilogue),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/"},
    )


def test_without_prologue_and_epilogue_the_script_is_the_body_alone() -> None:
    assert script("exec true").splitlines() == [
        "#!/bin/bash",
        "# A session started by clusterhub.",
        "exec true",
    ]


@pytest.mark.parametrize("epilogue", ["", "true"])
@pytest.mark.parametrize("prologue", ["", "true"])
def test_the_exit_code_is_the_bodys(prologue: str, epilogue: str) -> None:
    assert run("exit 7", prologue, epilogue).returncode == 7
    assert run("exec true", prologue, epilogue).returncode == 0


def test_a_job_without_a_working_directory_starts_at_home(tmp_path: Path) -> None:
    text = compose(replace(EMPTY, body="pwd"))
    done = subprocess.run(
        ["/bin/bash", "-s"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path)},
    )
    assert done.stdout.strip() == str(tmp_path)


def test_what_the_prologue_exports_and_defines_is_there_for_the_body() -> None:
    done = run('echo "$A-$(greet)"', prologue="export A=1\ngreet() { echo 'it'\\''s me'; }")
    assert done.stdout == "1-it's me\n"


@pytest.mark.parametrize(
    ("prologue", "code"),
    [
        ("false", 1),
        ("(exit 5)\ntrue", 5),
        ("exit 3", 3),
        ("nosuchcommand", 127),
        ("if true; then", 2),
        ("echo 'unbalanced", 2),
    ],
)
def test_a_failing_prologue_ends_the_job_with_its_own_mark(prologue: str, code: int) -> None:
    done = run("echo the body ran", prologue=prologue)
    assert done.returncode == PROLOGUE_FAILED
    assert f"{PROLOGUE_FAILED_LINE}{code}\n" in done.stderr
    assert "the body ran" not in done.stdout


def test_a_failure_that_the_prologue_handles_or_hides_in_a_function_is_none() -> None:
    prologue = "module() { false; true; }\nmodule load cuda\nfalse || true\nif false; then :; fi"
    assert run("exit 0", prologue=prologue).returncode == 0


def test_the_prologue_leaves_nothing_of_ours_in_the_bodys_shell() -> None:
    done = run("false\ntrap -p\nset | grep ^clusterhub_", prologue="true")
    assert done.stdout == ""


def test_the_epilogue_runs_after_the_body_and_cannot_change_its_exit_code() -> None:
    done = run("echo body; exec false", epilogue="echo epilogue; false")
    assert done.stdout == "body\nepilogue\n"
    assert done.returncode == 1


def test_the_epilogue_runs_after_a_failed_prologue() -> None:
    done = run("echo body", prologue="echo prologue; false", epilogue="echo epilogue")
    assert done.stdout == "prologue\nepilogue\n"
    assert done.returncode == PROLOGUE_FAILED


def started(tmp_path: Path, text: str) -> subprocess.Popen[str]:
    """The script running, at a moment when its body or prologue has printed a line."""
    file = tmp_path / "script"
    file.write_text(text)
    process = subprocess.Popen(
        ["/bin/bash", str(file)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


@pytest.mark.parametrize("whole_group", [True, False])
def test_the_epilogue_runs_when_the_job_is_terminated(tmp_path: Path, whole_group: bool) -> None:
    body = "trap 'echo stopping; exit 9' TERM\necho started\nsleep 30 >&- 2>&- & wait"
    process = started(tmp_path, script(body, epilogue="echo epilogue"))
    if whole_group:
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.terminate()
    out, _ = process.communicate(timeout=20)
    assert out == "stopping\nepilogue\n"
    assert process.returncode == 9


def test_the_epilogue_runs_when_the_job_is_terminated_in_the_prologue(tmp_path: Path) -> None:
    text = script("echo body", prologue="echo started; sleep 30 >&- 2>&- & wait", epilogue="echo epilogue")
    process = started(tmp_path, text)
    process.terminate()
    out, _ = process.communicate(timeout=20)
    assert out == "epilogue\n"
    assert process.returncode == 143


WARNED = """\
trap 'exit 143' TERM
exec python3 -c "
import signal, sys, time
ignored = signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(5 if ignored else 6))
print('started', flush=True)
time.sleep(30)"
"""


@pytest.mark.parametrize("epilogue", ["", "echo epilogue"])
@pytest.mark.parametrize("prologue", ["", "true"])
def test_a_warning_reaches_the_body_and_kills_nobody_before(
    tmp_path: Path, prologue: str, epilogue: str
) -> None:
    request = replace(EMPTY, body=WARNED, prologue=prologue, epilogue=epilogue, warning_seconds=60)
    process = started(tmp_path, compose(replace(request, working_directory="/tmp")))  # noqa: S108 - as above
    process.send_signal(signal.SIGUSR1)
    out, _ = process.communicate(timeout=20)
    assert out == ("epilogue\n" if epilogue else "")
    assert process.returncode == 5


def test_a_warning_in_the_prologue_does_not_end_the_job(tmp_path: Path) -> None:
    prologue = 'echo started; kill -USR1 $$; python3 -c "import os; os.kill(os.getpid(), 10)"'
    request = replace(EMPTY, body="echo body", prologue=prologue, warning_seconds=60)
    process = started(tmp_path, compose(request))
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == ("body\n", 0)


def test_an_epilogue_does_not_make_the_body_ignore_interrupts() -> None:
    done = run("python3 -c 'import signal; print(signal.getsignal(signal.SIGINT))'", epilogue="true")
    assert "default_int_handler" in done.stdout


def test_the_persons_own_shell_files_are_not_read(tmp_path: Path) -> None:
    for name in (".bashrc", ".profile", ".bash_profile"):
        (tmp_path / name).write_text("echo read; exit 1\n")
    done = subprocess.run(
        ["/bin/bash", "-s"],
        input=script("echo body", prologue="true"),
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    assert done.stdout == "body\n"
