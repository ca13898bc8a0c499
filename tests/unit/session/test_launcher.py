"""The launcher binds first, keeps trying while the hub is away, and names why it cannot go on."""

import ipaddress
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clusterhub.session import launcher, runtime
from clusterhub.session.launcher import LaunchError
from clusterhub.spawner.certificates import Certificates

AS_MODULE = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("launcher", {launcher.__file__!r})
launcher = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launcher)
import sys
sys.modules["launcher"] = launcher
"""
HUB_URL = "http://127.0.0.1:8081/hub"


class Hub(ThreadingHTTPServer):
    """A stand-in for the hub: answers each claim with the next status of a list; minus that: half of it."""

    daemon_threads = True

    def __init__(self, statuses: list[int]) -> None:
        self.statuses = statuses
        self.claims: list[dict[str, Any]] = []
        self.until: Callable[[], bool] = lambda: True
        """It answers once this holds."""
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def settings(self) -> dict[str, Any]:
        base = f"http://127.0.0.1:{self.server_port}/hub/api/clusterhub"
        return {
            "claim_url": f"{base}/claim",
            "ready_url": f"{base}/ready",
            "authority": "",
            "tag": "clusterhub:hub:alice:",
            "interface": "127.0.0.1",
            "ports": None,
            "ticket": {"kind": "file", "path": "/dev/null"},
            "patience": 5,
        }


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.claims.append(json.loads(body))
        status = self.server.statuses.pop(0)
        while not self.server.until():
            time.sleep(0.01)
        self.send_response(abs(status))
        if status < 0:
            self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(json.dumps({"message": f"said with {status}", "environment": {}}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub([200])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def in_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")


def test_the_port_stays_taken_from_the_moment_it_is_bound() -> None:
    with launcher.bind("127.0.0.1", None, HUB_URL) as listener:
        address = listener.getsockname()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(address)
        with socket.create_connection(address, timeout=5):
            pass  # answered by the queue of the socket, before anything serves


def test_a_port_range_is_kept_to_and_its_end_is_said() -> None:
    with launcher.bind("127.0.0.1", None, HUB_URL) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LaunchError, match=f"all ports from {port} to {port} are taken") as refused:
            launcher.bind("127.0.0.1", [port, port], HUB_URL)
        assert refused.value.code == launcher.NO_PORT


def test_an_interface_is_found_by_name_and_a_missing_one_is_said() -> None:
    assert launcher.interface_address("lo", HUB_URL) == "127.0.0.1"
    assert launcher.interface_address("10.1.2.3", HUB_URL) == "10.1.2.3"
    with pytest.raises(LaunchError, match="no network interface 'ib7'"):
        launcher.interface_address("ib7", HUB_URL)


def test_the_address_that_faces_the_hub_is_announced() -> None:
    with launcher.bind("", None, HUB_URL) as listener:
        assert launcher.announced_address(listener, HUB_URL) == "127.0.0.1"


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """The hub's name has these addresses."""

    def answer(_host: str, port: int, family: int = 0, type: int = 0) -> list[Any]:  # noqa: A002 - its name
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [
            (each, type, 0, "", (address, port))
            for each, address in zip(families, addresses, strict=True)
            if family in (0, each)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize(
    ("addresses", "version"),
    [
        (["127.0.0.1"], 4),
        (["::1", "127.0.0.1"], 4),
        (["::1"], 6),
    ],
)
def test_it_listens_in_the_family_of_the_hubs_address(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], version: int
) -> None:
    resolves_to(monkeypatch, *addresses)
    address = ipaddress.ip_address(launcher.interface_address("", "http://gateway:8081/hub"))
    assert (address.version, address.is_unspecified) == (version, True)


def test_a_hub_that_cannot_be_resolved_yet_does_not_keep_it_from_listening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with launcher.bind("", None, "http://hub.invalid:8081/hub") as listener:
        assert listener.family == socket.AF_INET


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_the_address_that_faces_a_hub_of_ipv6_is_announced() -> None:
    url = "http://[::1]:8081/hub"
    with launcher.bind("", None, url) as listener:
        assert launcher.announced_address(listener, url) == "::1"


def test_the_claim_says_who_and_where_it_is(hub: Hub, tmp_path: Path) -> None:
    ticket = tmp_path / "ticket"
    ticket.write_text("nonce.secret\n")
    settings = {**hub.settings, "ticket": {"kind": "file", "path": str(ticket)}}
    with launcher.bind("127.0.0.1", None, HUB_URL) as listener:
        launcher.claim(settings, listener)
        port = listener.getsockname()[1]
    (claim,) = hub.claims
    shown = claim.pop("ticket")
    nonce, once, mac = shown["value"].split(".")
    assert (shown["kind"], nonce) == ("file", "nonce")
    assert mac == launcher.file_mac("secret", once, json.dumps(claim, sort_keys=True))
    assert (claim["job"], claim["restart"], claim["port"]) == ("17", 2, port)
    assert claim["address"] == "127.0.0.1"
    assert claim["node"] == socket.gethostname()


def test_it_tries_again_while_the_hub_is_away_with_the_same_claim(hub: Hub) -> None:
    hub.statuses = [503, 502, 200]
    with launcher.bind("127.0.0.1", None, HUB_URL) as listener:
        launcher.claim(hub.settings, listener)
    assert len(hub.claims) == 3
    assert len({claim["claim"] for claim in hub.claims}) == 1


@pytest.mark.parametrize("status", [200, 503])
def test_half_an_answer_of_a_hub_that_was_killed_is_none(hub: Hub, status: int) -> None:
    """Where only OSError counts as trouble the job ends with the traceback of an IncompleteRead."""
    hub.statuses = [-status, 200]
    with launcher.bind("127.0.0.1", None, HUB_URL) as listener:
        launcher.claim(hub.settings, listener)
    assert len(hub.claims) == 2


@pytest.mark.parametrize("whose", ["the hub's", "somebody else's", "of another name"])
def test_only_the_hub_is_told_the_ticket(hub: Hub, tmp_path: Path, whose: str) -> None:
    ours = Certificates(tmp_path / "hub", "127.0.0.1")
    shown = Certificates(tmp_path / "other", "127.0.0.1") if whose == "somebody else's" else ours
    if whose == "of another name":
        shown = Certificates(tmp_path / "hub", "gateway.example.org")
    shown.ensure()
    hub.socket = shown.as_hub().wrap_socket(hub.socket, server_side=True)
    urls = {key: hub.settings[key].replace("http:", "https:") for key in ("claim_url", "ready_url")}
    settings = {**hub.settings, **urls, "patience": 0.1, "authority": ours.authority}
    with launcher.bind("127.0.0.1", None, HUB_URL) as listener:
        if shown is ours:
            launcher.claim(settings, listener)
        else:
            with pytest.raises(LaunchError, match="certificate verify failed") as refused:
                launcher.claim(settings, listener)
            assert refused.value.code == launcher.HUB_UNREACHABLE
    assert len(hub.claims) == (shown is ours)


def test_a_refusal_ends_it_with_the_hubs_own_words(hub: Hub) -> None:
    hub.statuses = [403]
    with (
        launcher.bind("127.0.0.1", None, HUB_URL) as listener,
        pytest.raises(LaunchError, match="said with 403") as refused,
    ):
        launcher.claim(hub.settings, listener)
    assert refused.value.code == launcher.REFUSED


def test_patience_ends(hub: Hub) -> None:
    hub.statuses = [503] * 20
    with (
        launcher.bind("127.0.0.1", None, HUB_URL) as listener,
        pytest.raises(LaunchError, match="said with 503") as refused,
    ):
        launcher.claim({**hub.settings, "patience": 0.5}, listener)
    assert refused.value.code == launcher.HUB_UNREACHABLE


def test_a_ticket_that_is_not_there_is_said() -> None:
    with pytest.raises(LaunchError, match="No such file") as refused:
        launcher.ticket({"kind": "file", "path": "/nowhere/ticket"}, "")
    assert refused.value.code == launcher.NO_TICKET


def test_it_runs_isolated_and_says_in_one_line_why_it_cannot(tmp_path: Path) -> None:
    settings = json.dumps({**Hub([]).settings, "interface": "ib7"})
    # What a person has in these variables, and beside the session, does not reach it.
    (tmp_path / "json.py").write_text("raise SystemExit('reached')")
    done = subprocess.run(
        [sys.executable, "-I", launcher.__file__],
        env={
            "CLUSTERHUB_SETTINGS": settings,
            "SLURM_JOB_ID": "17",
            "PYTHONPATH": str(tmp_path),
            "PYTHONHOME": "/nowhere",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == launcher.NO_PORT
    assert done.stderr.startswith("clusterhub: this node has no network interface 'ib7'")
    assert "Traceback" not in done.stderr


def test_a_log_without_room_is_given_up_and_the_session_goes_on() -> None:
    code = f"""
import importlib.util, os
spec = importlib.util.spec_from_file_location("launcher", {launcher.__file__!r})
launcher = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launcher)
launcher.say("one")
assert os.readlink("/proc/self/fd/1") == os.readlink("/proc/self/fd/2") == "/dev/null"
launcher.say("two")
raise SystemExit(7)
"""
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run([sys.executable, "-I", "-c", code], stderr=full, check=False, timeout=30)
    assert done.returncode == 7


def carry(directory: Path, **modules: str) -> str:
    """A file with what travels beside the launcher: nothing but these, and nothing to import ahead."""
    files = {"imports": "def ahead(): pass\n", **modules}
    path = directory / "files"
    path.write_text("".join(f"==> {name}.py <==\n{text}" for name, text in files.items()))
    return str(path)


def run_launcher(files: str, settings: dict[str, Any], **variables: str) -> subprocess.CompletedProcess[str]:
    """The launcher in a job, with these files."""
    return subprocess.run(
        [sys.executable, "-I", "-c", f"{AS_MODULE}\nlauncher.FILES = {files!r}\nsys.exit(launcher.main())"],
        env={"CLUSTERHUB_SETTINGS": json.dumps(settings), "SLURM_JOB_ID": "17", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_while_the_hub_looks_at_the_ticket_the_session_imports(hub: Hub, tmp_path: Path) -> None:
    """An exchange that is made before the imports, or after them, never ends here."""
    begun = tmp_path / "begun"
    hub.until = begun.exists
    (tmp_path / "ticket").write_text("secret")
    settings = {**hub.settings, "ticket": {"kind": "file", "path": str(tmp_path / "ticket")}}
    asked = f"import os, time\ndef ahead(): open({str(begun)!r}, 'w').close()\n"
    serving = "def serve(listener, reply, *others): print(reply['message'])\n"
    files = carry(tmp_path, imports=asked, runtime=Path(runtime.__file__).read_text(), server=serving)
    done = run_launcher(files, settings)
    assert (done.stdout, done.returncode) == ("said with 200\n", 0), done.stderr


def test_a_refusal_that_comes_while_it_imports_ends_it(hub: Hub, tmp_path: Path) -> None:
    hub.statuses[:] = [403]
    (tmp_path / "ticket").write_text("secret")
    settings = {**hub.settings, "ticket": {"kind": "file", "path": str(tmp_path / "ticket")}}
    done = run_launcher(
        carry(tmp_path, runtime=Path(runtime.__file__).read_text(), server="def serve(*_): pass\n"), settings
    )
    assert done.returncode == launcher.REFUSED
    assert "said with 403" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_session_that_is_ended_while_it_starts_leaves_nothing_behind(hub: Hub, tmp_path: Path) -> None:
    ticket = tmp_path / "ticket"
    ticket.write_text("secret")
    (tmp_path / "tmp").mkdir()
    settings = {**hub.settings, "ticket": {"kind": "file", "path": str(ticket)}}
    # Instead of Jupyter, which would take over the signal: an end that comes before it.
    ending = "import os\ndef serve(*words): assert os.path.isdir(words[3]); os.kill(os.getpid(), 15)\n"
    files = carry(tmp_path, runtime=Path(runtime.__file__).read_text(), server=ending)
    done = run_launcher(files, settings, TMPDIR=str(tmp_path / "tmp"))
    assert done.returncode == 143, done.stderr
    assert not list((tmp_path / "tmp").iterdir())


def test_the_runtime_directory_leaves_room_for_the_path_of_a_kernels_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    name = "kernel-12345678-1234-1234-1234-123456789012-ipc-99"
    for temporary in (str(long), "/dev/shm"):  # noqa: S108 - any short path will do
        monkeypatch.setattr(runtime.tempfile, "tempdir", temporary)
        with runtime.own_directory() as directory, socket.socket(socket.AF_UNIX) as listener:
            made = Path(directory)
            assert str(made.parent) == ("/tmp" if temporary == str(long) else temporary)  # noqa: S108 - as above
            listener.bind(str(made / name))
            assert made.stat().st_mode & 0o777 == 0o700
        assert not made.exists()


def test_the_memory_of_a_session_is_closed_and_that_of_what_it_starts_is_not() -> None:
    code = f"""
import ctypes, importlib.util, subprocess, sys
spec = importlib.util.spec_from_file_location("launcher", {launcher.__file__!r})
launcher = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launcher)
launcher.keep_memory_private()
ask = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
exec(ask)
print(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout)
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1"]


@pytest.mark.parametrize("there", [True, False])
def test_a_session_starts_where_the_job_began_or_says_why_not(
    hub: Hub, tmp_path: Path, *, there: bool
) -> None:
    (tmp_path / "ticket").write_text("secret")
    settings = {**hub.settings, "ticket": {"kind": "file", "path": str(tmp_path / "ticket")}}
    where = tmp_path / "work"
    if there:
        where.mkdir()
    told = "os.getcwd(), os.environ.get('PWD'), 'CLUSTERHUB_DIRECTORY' in os.environ"
    serving = f"import os\ndef serve(*_): print({told})\n"
    files = carry(tmp_path, runtime=Path(runtime.__file__).read_text(), server=serving)
    done = run_launcher(files, settings, CLUSTERHUB_DIRECTORY=str(where))
    assert done.returncode == 0, done.stderr
    assert done.stdout == (f"{where} {where} False\n" if there else f"{Path.cwd()} None False\n")
    assert (f"{where} cannot be entered" in done.stderr) is not there
