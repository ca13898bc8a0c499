"""`scripts/demo`: the whole way on one machine, and a sentence for what keeps it from starting."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterhub.hub.demo import free_port

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "scripts" / "demo"
HUB_DIRECTORY = str(ROOT / ".demo")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    yield
    assert not processes_of_the_demo()


def processes_of_the_demo() -> list[str]:
    """Command lines of processes that speak of the demo's directory, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            directory = str((process / "cwd").readlink())
        except OSError:
            continue  # it ended meanwhile
        if int(process.name) != os.getpid() and (
            HUB_DIRECTORY in words or directory.startswith(HUB_DIRECTORY)
        ):
            found.append(words)
    return found


def test_the_self_test_goes_the_whole_way(port: int) -> None:
    done = subprocess.run(
        [DEMO, "--self-test", f"--port={port}"], capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for step in ("logged in", "session started as a job", "cell run", "session stopped"):
        assert re.search(rf"^ +\d+\.\d\d s  {step}", done.stdout, flags=re.MULTILINE)
    assert done.stdout.endswith("Self-test: all of it worked.\n")


def test_ctrl_c_ends_everything_and_the_login_is_printed(port: int) -> None:
    with subprocess.Popen(
        [DEMO, f"--port={port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if "Ctrl-C" in line:
                break
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert f"http://127.0.0.1:{port}" in printed
    assert re.search(r"User +\S+\n +Password +\S+", printed)
    assert "Traceback" not in rest + errors
    assert rest.endswith("Ended, with every session.\n")
    assert process.returncode == 0


def test_a_busy_port_is_said_in_a_sentence(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        done = subprocess.run(
            [DEMO, f"--port={port}"], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 1
    assert f"Port {port} cannot be listened on: Address already in use." in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
