"""Opens an environment from inside: run by its own Python, as the person who is to use it, on any node.

It travels as text, so it is standard library only until it imports what it looks at. What it found it prints
as one line of JSON behind `MARK`. Settings come in ``CLUSTERHUB_PROBE``: ``{"seconds": PATIENCE}``.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import platform
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

MARK = "clusterhub-probe: "
Finding = Mapping[str, str]

CODE = {
    "python": "print(6 * 7)",
    "r": "cat(6 * 7)",
    "julia": "println(6 * 7)",
    "bash": "echo $((6 * 7))",
}
"""For each language of a kernel a cell that prints 42; of other kernels only their start is tried."""
FAILED_EXTENSION = re.compile(
    r"(?m)^.*?\] (\S+) \| (?:extension failed|error (?:linking|adding) extension)[^\n:]*: ?(.*)$"
)
"""What Jupyter Server logs of its own extensions (jupyter_server/extension/manager.py, 2.21)."""
CONFIGURATION = re.compile(
    r'<script id="jupyter-config-data" type="application/json">(.*?)</script>', re.DOTALL
)
BUNDLE = re.compile(r'<script[^>]* src="([^"]+)"')


def error(check: str, what: str, where: str = "", remedy: str = "") -> Finding:
    """A finding because of which sessions fail."""
    return {"check": check, "severity": "error", "what": what, "where": where, "next": remedy}


def warning(check: str, what: str, where: str = "", remedy: str = "") -> Finding:
    """A finding with which sessions run."""
    return {"check": check, "severity": "warning", "what": what, "where": where, "next": remedy}


def last_line(text: str) -> str:
    """The line in which a program says why it failed."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "it said nothing"


class Probe:
    """One look at the environment that runs this."""

    def __init__(self, scratch: Path, seconds: float) -> None:
        self.scratch = scratch
        self.deadline = time.monotonic() + seconds
        self.facts: dict[str, Any] = {
            "node": socket.gethostname(),
            "account": getpass.getuser(),
            "python": platform.python_version(),
            "prefix": sys.prefix,
        }
        # Neither the person's settings nor their directories: the environment is looked at, not they.
        for name in ("RUNTIME", "CONFIG", "DATA"):
            os.environ[f"JUPYTER_{name}_DIR"] = str(scratch / name.lower())
        os.environ["IPYTHONDIR"] = str(scratch / "ipython")

    def left(self) -> float:
        """Seconds until everything has to be done."""
        return max(1.0, self.deadline - time.monotonic())

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The environment's Python, isolated as the session's is."""
        return subprocess.run(
            [sys.executable, "-I", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=self.left(),
            check=False,
        )

    def requirements(self) -> Iterator[Finding]:
        """Whether every package has what it needs."""
        done = self.run("-m", "pip", "check")
        if "No module named pip" in done.stderr:
            yield warning(
                "pip check",
                "it has no pip, so nobody can say whether its packages fit together",
                sys.prefix,
                "add pip to its packages",
            )
        elif done.returncode != 0:
            for line in done.stdout.splitlines() or [last_line(done.stderr)]:
                yield error("pip check", line, sys.prefix, "build it anew with versions that fit together")

    def session_imports(self) -> Iterator[Finding]:
        """What a session imports before it serves."""
        done = self.run(
            "-c", "import jupyterhub.singleuser.extension, jupyter_server.serverapp, jupyterlab.labapp"
        )
        if done.returncode != 0:
            yield error(
                "imports",
                f"a session cannot start: {last_line(done.stderr)}",
                sys.prefix,
                "build it anew; it needs jupyterhub, jupyter-server and jupyterlab",
            )

    def compatibility(self) -> Iterator[Finding]:
        """What `jupyter labextension list` says of each extension of JupyterLab."""
        from jupyter_core.paths import jupyter_path
        from jupyterlab.commands import AppOptions, _AppHandler

        handler = _AppHandler(AppOptions(labextensions_path=jupyter_path("labextensions")))
        extensions = handler.info["federated_extensions"]
        self.facts["labextensions"] = {name: data["version"] for name, data in extensions.items()}
        for name, wrong in handler._get_extension_compat().items():
            if wrong:
                packages = ", ".join(sorted({str(each[0]) for each in wrong}))
                yield error(
                    "labextension",
                    "{} is not compatible with JupyterLab {}: {}".format(
                        name, handler.info["version"], packages
                    ),
                    extensions[name]["ext_path"] if name in extensions else "",
                    "take a version of it that is made for this JupyterLab, or leave it out",
                )

    def lab(self) -> Iterator[Finding]:
        """A real server, its page, and everything that the page loads first."""
        token = secrets.token_hex(16)
        log_path = self.scratch / "lab.log"
        words = ["-I", "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
        words.append(f"--ServerApp.root_dir={self.scratch}")
        began = time.monotonic()
        with log_path.open("wb") as log:
            server = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.scratch,
                env=dict(os.environ, JUPYTER_TOKEN=token),
            )
        try:
            url = self.until_served(server)
            if not url:
                said = last_line(log_path.read_text(encoding="utf-8", errors="replace"))
                yield error("lab", f"JupyterLab does not start: {said}", sys.prefix, "build it anew")
                return
            self.facts["lab_seconds"] = round(time.monotonic() - began, 1)
            yield from self.page(url, token)
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        for name, said in FAILED_EXTENSION.findall(log_path.read_text(encoding="utf-8", errors="replace")):
            yield error(
                "server extension",
                f"{name} is broken: {said or 'it cannot be loaded'}",
                sys.prefix,
                "take another version of it, or leave it out",
            )

    def until_served(self, server: subprocess.Popen[bytes]) -> str:
        """The server's URL once it serves; empty where it ended before, or does not in time."""
        known = self.scratch / "runtime" / f"jpserver-{server.pid}.json"
        while server.poll() is None and time.monotonic() < self.deadline:
            with contextlib.suppress(OSError, ValueError):  # it is not there yet, or not whole
                return str(json.loads(known.read_text(encoding="utf-8"))["url"])
            time.sleep(0.1)
        return ""

    def page(self, url: str, token: str) -> Iterator[Finding]:
        """What a browser asks for first."""
        remedy = "build it anew; if only an extension is missing, take another version of it or leave it out"
        try:
            text = self.get(urllib.parse.urljoin(url, "lab"), token)
            found = CONFIGURATION.search(text)
            configuration = json.loads(found.group(1)) if found else {}
        except (OSError, ValueError) as problem:
            yield error("lab", f"the page of JupyterLab does not come: {problem}", url, remedy)
            return
        if "fullLabextensionsUrl" not in configuration:
            yield error("lab", "what comes as the page of JupyterLab is another page", url, remedy)
            return
        for bundle in BUNDLE.findall(text):
            missing = self.why_not(urllib.parse.urljoin(url, bundle), token)
            if missing:
                yield error("lab", f"{bundle} does not come: {missing}", url, remedy)
        for extension in configuration.get("federated_extensions", []):
            base = urllib.parse.urljoin(url, configuration["fullLabextensionsUrl"])
            entry = "{}/{}/{}".format(base, extension["name"], extension["load"])
            missing = self.why_not(entry, token)
            if missing:
                what = "{} cannot be loaded by a browser: {}".format(extension["name"], missing)
                yield error("labextension", what, entry.partition("?")[0], remedy)

    def why_not(self, url: str, token: str) -> str:
        """Why nothing comes from that URL; empty where something does."""
        try:
            self.get(url, token)
        except OSError as problem:
            return str(problem)
        return ""

    def get(self, url: str, token: str) -> str:
        """The text at that URL. Raises OSError."""
        request = urllib.request.Request(url, headers={"Authorization": "token " + token})  # noqa: S310 - our own server
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=self.left()) as answer:
            return str(answer.read().decode("utf-8", "replace"))

    def kernels(self) -> Iterator[Finding]:
        """A small notebook in each kernel of the environment."""
        from jupyter_client.kernelspec import KernelSpecManager

        directory = str(Path(sys.prefix, "share", "jupyter", "kernels"))
        manager = KernelSpecManager(kernel_dirs=[directory], ensure_native_kernel=False)
        self.facts["kernels"] = {}
        specs = manager.find_kernel_specs()
        if not specs:
            yield warning("kernel", "it has no kernel of its own", directory, "add ipykernel to its packages")
        for name, where in sorted(specs.items()):
            began = time.monotonic()
            problem = self.notebook(manager, name)
            if problem:
                yield error("kernel", f"{name}: {problem}", where, "see whether its program is there")
            else:
                self.facts["kernels"][name] = round(time.monotonic() - began, 1)

    def notebook(self, specs: Any, name: str) -> str:
        """Why a notebook does not run in that kernel; empty where it does."""
        import nbformat
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient

        try:
            spec = specs.get_kernel_spec(name)
            code = CODE.get(spec.language.lower(), "")
            make: Any = nbformat.v4
            notebook = make.new_notebook(cells=[make.new_code_cell(code)] if code else [])
            manager = AsyncKernelManager(kernel_name=name, kernel_spec_manager=specs)
            client = NotebookClient(
                notebook,
                km=manager,
                timeout=int(self.left()),
                startup_timeout=int(self.left()),
                resources={"metadata": {"path": str(self.scratch)}},
            )
            client.execute()
        except Exception as problem:  # a kernel may fail in any way
            return f"{type(problem).__name__}: {last_line(str(problem))}"
        printed = "".join(
            output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
        )
        return "" if not code or printed.strip() == "42" else f"6 * 7 printed {printed[:100]!r}"

    def all(self) -> Iterator[Finding]:
        """Every check; one that breaks is a finding itself."""
        checks: list[Callable[[], Iterator[Finding]]] = [
            self.requirements,
            self.session_imports,
            self.compatibility,
            self.lab,
            self.kernels,
        ]
        for check in checks:
            yield from self.guarded(check)

    @staticmethod
    def guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
        """What a check finds, and that it broke where it did: what is looked at may be broken in any way."""
        try:
            yield from check()
        except Exception as problem:
            what = f"this could not be looked at: {type(problem).__name__}: {problem}"
            yield error(check.__name__.replace("_", " "), what, sys.prefix, "build it anew")


def main() -> None:
    """Look, and print what was found."""
    settings = json.loads(os.environ.pop("CLUSTERHUB_PROBE"))
    scratch = Path(tempfile.mkdtemp(prefix="clusterhub-check-"))
    try:
        probe = Probe(scratch, settings["seconds"])
        findings = list(probe.all())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.stdout.write("\n{}{}\n".format(MARK, json.dumps({"facts": probe.facts, "findings": findings})))


if __name__ == "__main__":
    main()
