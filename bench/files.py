"""What a start asks of file systems that nodes share: operations on paths, and time where each is slow."""

from __future__ import annotations

import argparse
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.environments.versions_to_pack import finish
from tests.real_cluster import RealCluster, environment, processes
from tests.real_cluster.layout import CACHE, GATEWAY, N1, N2, SHARED

from _crowd import PARTITION, SESSION_MIB, CrowdedHub, crowded_cluster
from _run import Run, say, timings
from _systems import VENV, Batchspawner, Clusterhub, ensure_batchspawner
from _traces import OPTIONS, Trace
from clusterhub.environments.packing import image_path, pack
from clusterhub.environments.versions import Environments
from clusterhub.errors import ClusterhubError

ABOUT = "path operations of a start, and its time where each takes a while: clusterhub, srun, batchspawner"
NEEDS_DEBIAN_PACKAGES = True
PERSON = "alice"
SYSTEMS = ("srun", "batchspawner", "clusterhub")
VERSION = "version"
ASIDE = ".aside"
SRUN_PORT = 8899
START_SECONDS = 300.0
END_SECONDS = 60.0
SETTLING_SECONDS = 1.0
"""A start is looked at for so long after it serves: it may still be at something."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How slow, how often, and who."""
    parser.add_argument(
        "--milliseconds", type=float, default=1.0, help="added to each operation (default: 1)"
    )
    parser.add_argument(
        "--runs", type=int, default=3, help="timed starts of each, after a first; 0: only count (default: 3)"
    )
    parser.add_argument("--systems", default=",".join(SYSTEMS), help=f"which (default: {','.join(SYSTEMS)})")
    parser.add_argument("--list", type=Path, help="a directory for what was counted, a file for each system")


def measure(arguments: argparse.Namespace) -> list[Run]:
    """Runs with ``packed``; with ``path_operations``, or with ``added_ms``, ``median_s``, ``samples_s``."""
    ensure_batchspawner()  # also what slows files down is in its venv
    environments = _environments()
    runs: list[Run] = []
    with crowded_cluster() as cluster:
        bench = Bench(cluster, environments)
        bench.prepare()
        for name in arguments.systems.split(","):
            start = STARTS[name](cluster)
            with start.ready():
                for packed in (False, True) if name == "clusterhub" else (False,):
                    bench.show_image(packed)
                    bench.once(start)  # what is cached from now on was fetched
                    say(f"{name}, packed={packed}: counting")
                    operations = bench.counted(start)
                    if arguments.list:
                        arguments.list.mkdir(parents=True, exist_ok=True)
                        listed = arguments.list / f"{name}-{'packed' if packed else 'plain'}"
                        listed.write_text("".join(f"{each}\n" for each in operations))
                    counted = {"system": name, "packed": packed, "path_operations": len(operations)}
                    runs.append(counted)
                    say(str(counted))
                    if not arguments.runs:
                        continue
                    with bench.slowed(arguments.milliseconds / 1000):
                        samples = [bench.once(start) for _ in range(arguments.runs + 1)][1:]
                    keys = {"packed": packed, "added_ms": arguments.milliseconds}
                    runs.append(timings(name, samples, **keys))
                    say(str(runs[-1]))
    return runs


def _environments() -> Environments:
    """A version like the test cluster's environment, packed, kept between runs."""
    directory = CACHE / "bench-files" / environment.wanted()
    version = directory / VERSION
    environments = Environments.of_link(directory / "current")
    if not (version / environment.DONE).exists() or not image_path(environments, VERSION).exists():
        say(f"building the environment in {version} (once)")
        shutil.rmtree(directory, ignore_errors=True)
        environment.build(version)
        finish(version)
    aside = record_of(environments).with_suffix(ASIDE)
    if aside.exists():  # an earlier run was ended
        aside.rename(record_of(environments))
    pack(environments, VERSION, say)
    return environments


def record_of(environments: Environments) -> Path:
    """What has sessions find the image."""
    return image_path(environments, VERSION).with_suffix(".json")


@dataclass
class Bench:
    """One node, its shared file systems, and who looks at them."""

    cluster: RealCluster
    environments: Environments

    @property
    def version(self) -> Path:
        """The environment's directory."""
        return self.environments.directory / VERSION

    def prepare(self) -> None:
        """All sessions run on the first node, in the version."""
        link = SHARED / "environments" / "current"
        link.unlink()
        link.symlink_to(self.version)
        self._run(["scontrol", "update", f"nodename={N2.name}", "state=drain", "reason=bench"], GATEWAY.name)

    def show_image(self, packed: bool) -> None:
        """Whether sessions find the image."""
        record = record_of(self.environments)
        aside = record.with_suffix(ASIDE)
        if packed and aside.exists():
            aside.rename(record)
        if not packed and record.exists():
            record.rename(aside)

    def once(self, start: Start) -> float:
        """Seconds of a start, whose session is over afterwards."""
        began = time.monotonic()
        start.begin()
        seconds = time.monotonic() - began
        self._end(start)
        return seconds

    def _end(self, start: Start) -> None:
        start.end()

        def none_left() -> bool:
            return not self._run(["squeue", "--noheader", "--format=%i"], GATEWAY.name).strip()

        if not processes.wait_until(none_left, END_SECONDS, pause=0.2):
            raise ClusterhubError("A job does not end.", next="Look with squeue.")

    def counted(self, start: Start) -> list[str]:
        """What a start asks of the environment's file system, and of the home directory's."""
        log = self.cluster.data / "bench" / "strace"
        log.parent.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        (slurmd,) = self._run(["pgrep", "-x", "slurmd"], N1.name).split()
        strace = self.cluster.popen(
            N1.name, ["strace", *OPTIONS, "-o", str(log), "-p", slurmd], stdout=subprocess.DEVNULL
        )
        try:
            if not processes.wait_until(lambda: self._traced(slurmd), END_SECONDS):
                raise ClusterhubError("strace does not attach to slurmd.", where=N1.name)
            start.begin()
            time.sleep(SETTLING_SECONDS)
        finally:
            self._run(["pkill", "-TERM", "-x", "strace"], N1.name)
            strace.wait()
        self._end(start)
        home = str(self.cluster.people[PERSON].home)
        seen = Trace(
            (str(SHARED / "environments"), str(self.environments.directory), home), str(self.version)
        )
        with log.open(errors="replace") as lines:
            seen.read(lines)
        return seen.operations

    def _traced(self, process: str) -> bool:
        return "TracerPid:\t0" not in self._run(["cat", f"/proc/{process}/status"], N1.name)

    @contextmanager
    def slowed(self, seconds: float) -> Iterator[None]:
        """Meanwhile each operation on these file systems takes so much longer on the node."""
        program = str(Path(__file__).with_name("_slow_files.py"))
        places = [self.environments.directory, self.cluster.people[PERSON].home]
        serving = []
        try:
            for place in places:
                beside = self.cluster.data / "bench" / f"below-{place.name}"
                beside.mkdir(parents=True, exist_ok=True)
                self._run(["mount", "--bind", str(place), str(beside)], N1.name)
                argv = [str(VENV / "bin" / "python"), program, str(beside), str(place), str(seconds)]
                log = (self.cluster.data / "bench" / "slow.log").open("a")
                serving.append(self.cluster.popen(N1.name, argv, stdout=log))

                def mounted(path: Path = place) -> bool:
                    return f" {path} fuse" in self._run(["cat", "/proc/mounts"], N1.name)

                if not processes.wait_until(mounted, END_SECONDS):
                    raise ClusterhubError("The slow file system does not come up.", where=str(log.name))
            yield
        finally:
            for place in places:
                self._run(["umount", "--lazy", str(place)], N1.name)
                beside = self.cluster.data / "bench" / f"below-{place.name}"
                self._run(["umount", "--lazy", str(beside)], N1.name)
            for process in serving:
                process.wait()

    def _run(self, argv: list[str], host: str) -> str:
        return self.cluster.run(host, argv, timeout=60).stdout


class Start:
    """One way to a session that serves."""

    def __init__(self, cluster: RealCluster) -> None:
        self.cluster = cluster

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Meanwhile sessions can be started."""
        yield

    def begin(self) -> None:
        """Returns when the session serves. Raises ClusterhubError."""
        raise NotImplementedError

    def end(self) -> None:
        """Has the session end."""
        raise NotImplementedError


class SrunStart(Start):
    """Jupyter alone, as a person starts it in a terminal."""

    _process: subprocess.Popen[str]

    def begin(self) -> None:
        """See `Start.begin`."""
        resources = [f"--partition={PARTITION}", "--cpus-per-task=1", f"--mem={SESSION_MIB['jupyterlab']}M"]
        lab = str(SHARED / "environments" / "current" / "bin" / "jupyter")
        jupyter = ["--no-browser", "--ip=0.0.0.0", f"--port={SRUN_PORT}", "--port-retries=0"]
        argv = ["srun", *resources, lab, "lab", *jupyter, f"--IdentityProvider.token={secrets.token_hex(16)}"]
        self._process = self.cluster.popen(GATEWAY.name, argv, PERSON, stdout=subprocess.DEVNULL)
        if not processes.wait_until(self._serves, START_SECONDS):
            raise ClusterhubError("Jupyter does not serve.", where=" ".join(argv))

    def _serves(self) -> bool:
        try:
            with self.cluster.connect(GATEWAY.name, N1.address, SRUN_PORT) as connection:
                connection.sendall(b"GET /api HTTP/1.0\r\n\r\n")
                return b" 200 " in connection.recv(100)
        except OSError:
            return False

    def end(self) -> None:
        """See `Start.end`."""
        self.cluster.run(GATEWAY.name, ["scancel", f"--user={PERSON}"])
        self._process.wait()


class HubStart(Start):
    """A click in a hub: its API answers when the session serves."""

    kind: type[CrowdedHub]
    _number = 0

    @contextmanager
    def ready(self) -> Iterator[None]:
        """See `Start.ready`."""
        self._hub = self.kind(self.cluster, "jupyterlab", START_SECONDS)
        self._hub.start()
        self._hub.ask("users", {"usernames": [PERSON]})
        yield
        self._hub.stop()

    def begin(self) -> None:
        """See `Start.begin`. Each start is of another server: the hub may still be at the end of the last."""
        type(self)._number += 1
        status, _ = self._hub.ask(f"users/{PERSON}/servers/s{self._number}", self._hub.options)
        if status != 201:
            raise ClusterhubError(f"{self._hub.system}: a session does not serve: {status}.")

    def end(self) -> None:
        """See `Start.end`."""
        self.cluster.run(GATEWAY.name, ["scancel", f"--user={PERSON}"])


class ClusterhubStart(HubStart):
    """Through this project."""

    kind = Clusterhub


class BatchspawnerStart(HubStart):
    """Through batchspawner."""

    kind = Batchspawner


STARTS: dict[str, Callable[[RealCluster], Start]] = {
    "srun": SrunStart,
    "batchspawner": BatchspawnerStart,
    "clusterhub": ClusterhubStart,
}
