"""A session goes on in an environment that has Jupyter Server and nothing of JupyterHub's.

A real one, started as on a node but for the hub: it asks its OAuth way of whoever has no token, and runs a
cell's worth of Python for whoever has. Fails where something that jupyterhub imports is missing in
`elsewhere.WHERE_MISSING`, where the socket or the answer does not arrive, and where a signal stays with the
first Python.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupyterhub
import pytest

from clusterhub.session.elsewhere import ALWAYS_OURS, WHERE_MISSING, place_packages
from clusterhub.spawner.job_request import carried_files, launcher_source

SITE_PACKAGES = Path(jupyterhub.__file__).parents[1]
FIRST_PYTHON = """\
import importlib.util, json, socket, sys
found = importlib.util.spec_from_loader("clusterhub_launcher", None)
launcher = importlib.util.module_from_spec(found)
sys.modules[found.name] = launcher
directory, reply, settings = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
exec(open(directory + "/launcher.py").read(), launcher.__dict__)
launcher.FILES = directory + "/carried"
files = launcher.carried_files()
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
launcher.load_modules(files)["elsewhere"].serve(listener, reply, settings, directory, files)
"""
TOKEN = "e" * 32


@pytest.fixture
def short() -> Iterator[Path]:
    """The session's directory on the node, with a path that is short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="ch-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """An environment that has all of Jupyter Server's, and neither JupyterHub nor what only that needs."""
    venv.create(tmp_path / "own", symlinks=True)
    (packages,) = (tmp_path / "own").glob("lib/python3*/site-packages")
    needed_by_server = {"attr", "attrs", "idna", "markupsafe", "packaging", "typing_extensions"}
    left_out = {*ALWAYS_OURS, *WHERE_MISSING} - needed_by_server
    for each in SITE_PACKAGES.iterdir():
        name = each.name.partition("-")[0].partition(".")[0].lower()
        if name not in left_out and not name.startswith(
            ("clusterhub", "jupyterlab", "notebook", "__editable")
        ):
            (packages / each.name).symlink_to(each)
    return tmp_path / "own"


def answer(hub: str) -> dict[str, Any]:
    """What the hub would tell the session."""
    return {
        "environment": {
            "JUPYTERHUB_API_TOKEN": TOKEN,
            "JUPYTERHUB_API_URL": f"{hub}/hub/api",
            "JUPYTERHUB_BASE_URL": "/",
            "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-alice",
            "JUPYTERHUB_DEFAULT_URL": "/lab",
            "JUPYTERHUB_HOST": "",
            "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/alice/oauth_callback",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=alice/"]',
            "JUPYTERHUB_SERVICE_PREFIX": "/user/alice/",
            "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:0/user/alice/",
            "JUPYTERHUB_USER": "alice",
            "JUPYTERHUB_SERVER_NAME": "",
        },
        "tls": None,
        "arguments": ["--ServerApp.allow_root=True"],
        "page_config": {},
        "workspace": {},
        "user_config": False,
        "tcp_kernels": [],
        "remaining_s": None,
        "hub_version": "",
    }


def test_a_session_goes_on_in_an_environment_without_jupyterhub_and_ends_with_its_job(
    short: Path, own: Path
) -> None:
    (short / "launcher.py").write_text(launcher_source())
    (short / "carried").write_text(f"{carried_files()}==> launcher.text <==\n{launcher_source()}")
    nobody = "http://127.0.0.1:9"
    command = [f"{own}/bin/python3"]
    settings = {
        **{
            key: f"{nobody}/{key}"
            for key in ("claim_url", "ready_url", "time_url", "usage_url", "report_url")
        },
        "authority": "",
        "warning": 0,
        "tag": "clusterhub:hub:alice:",
        "patience": 1.0,
        "own": {"command": command, "what": "the environment of a test", "copied": False},
    }
    home = short / "home"
    home.mkdir()
    with subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-c",
            FIRST_PYTHON,
            str(short),
            json.dumps(answer(nobody)),
            json.dumps(settings),
        ],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "CLUSTERHUB_JOB_ID": "7", "TMPDIR": str(short)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout is not None
        url = f"http://127.0.0.1:{int(first.stdout.readline())}/user/alice"
        try:
            refused = asked(f"{url}/api/contents")
        finally:
            runs = own_processes(own)
            first.send_signal(signal.SIGTERM)
            _, said = first.communicate(timeout=30)
            print(said)  # pytest shows it where this fails
    assert (refused.code, "/hub/api/oauth2/authorize" in str(refused.headers)) in {
        (403, False),
        (302, True),
    }, said
    assert runs, said
    assert not own_processes(own)
    assert TOKEN not in said
    assert "the server runs in the environment of a test" in said


def asked(url: str) -> urllib.error.HTTPError:
    """The refusal of a request without a token: whoever gives one knows the hub."""
    deadline = time.monotonic() + 15
    while True:
        try:
            urllib.request.urlopen(url, timeout=10)  # noqa: S310 - of this machine
        except urllib.error.HTTPError as error:
            return error
        except OSError:
            assert time.monotonic() < deadline
            continue
        raise AssertionError("it let somebody in without a token")


def own_processes(own: Path) -> list[str]:
    """Command lines of the processes that run in that environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if line.startswith(f"{own}/bin/python3\0"):
            found.append(line)
    return found


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("copied", [False, True])
def test_what_is_placed_along_is_found_and_no_more_than_that(tmp_path: Path, copied: bool) -> None:
    packages = tmp_path / "packages"
    for name in ("jupyterhub", "sqlalchemy", "jupyterlab"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").touch()
    (packages / "typing_extensions.py").touch()
    (tmp_path / "along").mkdir()
    place_packages(str(tmp_path / "along"), packages, copied=copied)
    assert names(tmp_path / "along" / "ours") == ["jupyterhub"]
    assert names(tmp_path / "along" / "missing") == ["sqlalchemy", "typing_extensions.py"]
    assert (tmp_path / "along" / "ours" / "jupyterhub").is_symlink() is not copied
