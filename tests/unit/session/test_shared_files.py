"""What a home directory on a shared file system asks of Jupyter is in effect in a server that runs.

One real server and kernel, without a hub, tell of each setting what it is; they fail for each that is taken
out of `shared_files.defaults` or of `shared_files.server_class`. The rest is what trust of notebooks
does without a database: fails where a signature is not found again, or where the database of other Jupyters
is not read.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterhub.session import shared_files
from clusterhub.session.shared_files import HISTORY, Signatures, without_history

SERVER = """\
import asyncio, json, os, socket, sys
from clusterhub.session import server, shared_files

listener = socket.create_server(("127.0.0.1", 0))
runtime_directory, reply = sys.argv[1], json.loads(sys.argv[2])
os.environ["JUPYTER_RUNTIME_DIR"] = runtime_directory
made = server.server_class(listener, None, None, lambda: None, reply["tcp_kernels"])
app_class = shared_files.server_class(made, runtime_directory, sqlite_in_home=reply["sqlite_in_home"])
app = app_class.instance()
app.initialize(argv=["--no-browser"], new_httpserver=False)


async def asked():
    kernel = await app.kernel_manager.start_kernel(kernel_name="python3")
    manager = app.kernel_manager.get_kernel(kernel)
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    printed = []
    await client.execute_interactive(
        "print(get_ipython().history_manager.hist_file)",
        output_hook=lambda told: printed.append(told["content"].get("text", "")),
        timeout=60,
    )
    await manager.shutdown_kernel(now=True)
    return "".join(printed).strip()


notary = app.contents_manager.notary
notary.store.store_signature("ab12", "sha256")
told = {
    "atomic": app.contents_manager.use_atomic_writing,
    "native": app.kernel_spec_manager.ensure_native_kernel,
    "store": type(notary.store).__name__,
    "runtime": app.runtime_dir,
    "file_ids": app.config.BaseFileIdManager.get("db_path"),
    "documents": app.config.SQLiteYStore.get("db_path"),
    "history": app.io_loop.run_sync(asked),
    "prefers_environment": __import__("jupyter_core.paths").paths.prefer_environment_over_user(),
}
print("TOLD" + json.dumps(told))
"""


def started(
    tmp_path: Path, reply: dict[str, Any], configured: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What a server that was started with this answer of the hub's says of its settings."""
    home, runtime = tmp_path / "home", tmp_path / "r"
    for each in (home / ".jupyter", runtime):
        each.mkdir(parents=True)
    (home / ".jupyter" / "jupyter_server_config.json").write_text(json.dumps(configured or {}))
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(runtime), json.dumps({"tcp_kernels": [], **reply})],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "JUPYTER_ALLOW_INSECURE_WRITES": "0"},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("TOLD")]
    assert found, done.stderr
    told: dict[str, Any] = json.loads(found[0].removeprefix("TOLD"))
    return {
        **told,
        "databases": sorted(
            path.name for path in home.rglob("*") if ".sqlite" in path.name or path.suffix == ".db"
        ),
    }


def test_a_server_keeps_no_database_in_the_home_directory(short: Path) -> None:
    runtime = short / "r"
    assert started(short, {"sqlite_in_home": False}) == {
        "atomic": True,
        "native": False,
        "store": "Store",
        "runtime": str(runtime),
        "file_ids": f"{runtime}/file_id_manager.db",
        "documents": f"{runtime}/ystore.db",
        "history": ":memory:",
        "prefers_environment": False,
        "databases": [],
    }


def test_an_operator_can_have_it_otherwise_by_the_site_file_and_by_jupyters_own(short: Path) -> None:
    configured = {
        "FileContentsManager": {"use_atomic_writing": False},
        "AsyncFileContentsManager": {"use_atomic_writing": False},
        "KernelSpecManager": {"ensure_native_kernel": True},
    }
    told = started(short, {"sqlite_in_home": True}, configured)
    assert (told["atomic"], told["native"], told["store"]) == (False, True, "SQLiteSignatureStore")
    assert {"history.sqlite", "nbsignatures.db"} <= {*told["databases"]}


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short path, as the launcher makes it: sockets of kernels lie in it."""
    with tempfile.TemporaryDirectory(prefix="ch-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.mark.parametrize(
    ("command", "is_ipython"),
    [
        (["python3", "-m", "ipykernel_launcher", "-f", "file"], True),
        (["/env/bin/python", "-Xfrozen_modules=off", "-m", "ipykernel", "-f", "file"], True),
        (["R", "--slave", "-e", "IRkernel::main()", "--args", "file"], False),
        (["xpython", "-f", "file"], False),
        (["java", "-jar", "ipykernel.jar"], False),
    ],
)
def test_only_kernels_of_ipython_are_told_where_their_history_goes(
    command: list[str], is_ipython: bool
) -> None:
    assert without_history(command) == ([*command, HISTORY] if is_ipython else command)


def test_a_signature_is_found_again_by_the_next_session_and_can_be_taken_back(tmp_path: Path) -> None:
    Signatures(tmp_path).add("ab12", "sha256")
    assert Signatures(tmp_path).has("ab12", "sha256")
    assert not Signatures(tmp_path).has("ab13", "sha256")
    assert not Signatures(tmp_path).has("ab12", "sha512")
    Signatures(tmp_path).remove("ab12", "sha256")
    assert not Signatures(tmp_path).has("ab12", "sha256")


def test_what_jupyter_trust_was_told_is_known_and_a_broken_database_is_nothing(tmp_path: Path) -> None:
    database = tmp_path / "nbsignatures.db"
    with sqlite3.connect(database) as writing:
        writing.execute("CREATE TABLE nbsignatures (algorithm text, signature text)")
        writing.execute("INSERT INTO nbsignatures VALUES ('sha256', 'ab12')")
    assert Signatures(tmp_path).has("ab12", "sha256")
    assert not Signatures(tmp_path).has("ab13", "sha256")
    database.write_bytes(b"SQLite format 3\0cut off")
    assert not Signatures(tmp_path).has("ab12", "sha256")


def test_the_older_half_of_too_many_signatures_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_files, "MOST_SIGNATURES", 10)
    kept = Signatures(tmp_path)
    for number in range(11):
        kept.add(f"{number}", "sha256")
        os.utime(kept.directory / f"sha256-{number}", (number, number))
    assert [number for number in range(11) if kept.has(f"{number}", "sha256")] == [*range(5, 11)]


def test_a_home_that_cannot_be_written_to_keeps_nobody_from_trusting_a_notebook(tmp_path: Path) -> None:
    (tmp_path / "clusterhub-signatures").write_text("stands for all that keeps it from being made")
    Signatures(tmp_path).add("ab12", "sha256")
    assert not Signatures(tmp_path).has("ab12", "sha256")
