"""JupyterLab comes into a session without starting Node, and without the hub's database.

Without `imports.ask_no_yarn` the first test finds that Node ran; without `imports.client_side_only` the
second finds SQLAlchemy.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.real_cluster import RealCluster

from clusterhub.session import imports

LOAD = f"""
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("imports", {imports.__file__!r})
imports = importlib.util.module_from_spec(spec)
spec.loader.exec_module(imports)
"""


@pytest.mark.parametrize("name", ["requests.models", "IPython.core"])
def test_jupyter_still_imports_it_where_nobody_defers_it(
    cluster: RealCluster, tmp_path: Path, name: str
) -> None:
    code = f"""
import jupyterlab.labapp
from jupyter_client.kernelspec import KernelSpecManager
KernelSpecManager().kernel_dirs
raise SystemExit({name!r} not in sys.modules)
"""
    done = in_environment(cluster, code, tmp_path)
    assert done.returncode == 0, f"{name} need not be deferred any more: {done.stderr}"


def in_environment(cluster: RealCluster, code: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """The code run by the session environment's Python, where there is a Node that leaves a mark."""
    node = directory / "node"
    node.write_text(f"#!/bin/sh\ntouch {directory}/ran\n")
    node.chmod(0o755)
    return subprocess.run(
        [str(cluster.environment_path / "bin" / "python3"), "-I", "-c", LOAD + code],
        env={**os.environ, "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("asked", "runs"), [("imports.import_jupyter()", False), ("", True)])
def test_jupyterlab_starts_no_node(cluster: RealCluster, tmp_path: Path, asked: str, runs: bool) -> None:
    """Without us it does: where it does not any more, `imports.ask_no_yarn` can go."""
    done = in_environment(cluster, f"{asked}\nimport jupyterlab.labapp", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ran").exists() == runs


def test_a_session_imports_nothing_that_it_does_not_need(cluster: RealCluster, tmp_path: Path) -> None:
    code = """
imports.ahead()
application = imports.import_jupyter()
import jupyterlab.labapp, notebook.app
from jupyter_client.kernelspec import KernelSpecManager
assert os.path.expanduser("~/.ipython/kernels") in KernelSpecManager().kernel_dirs
assert application.__module__ == "jupyterhub.singleuser.extension"
left_out = {"sqlalchemy", "alembic", imports.GRAMMAR, "IPython.core", "requests.models"}
found = left_out & sys.modules.keys()
raise SystemExit(str(found) if found else 0)
"""
    done = in_environment(cluster, code, tmp_path)
    assert done.returncode == 0, done.stderr
