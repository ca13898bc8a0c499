"""Looks for secrets wherever somebody could read them: as another user, and as whoever keeps the records.

What is looked for goes to the searching programs by their standard input: they do not find themselves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import hub_site
from tests.hub_fixture import LiveHub
from tests.real_cluster import hub as hub_place
from tests.real_cluster.layout import DATA, HOSTS, REPOSITORY, SHARED

DIRECTORIES = (str(DATA), str(SHARED / "clusterhub" / "sessions"), "/home", "/tmp", "/dev/shm", "/run")  # noqa: S108 - of each host
"""Of hub, scheduler, people and nodes. Not the environments: their files are the same everywhere."""

_PROCESSES = """\
import json, pathlib, sys
texts = json.load(sys.stdin)
for process in pathlib.Path("/proc").glob("[0-9]*"):
    for kind in ("cmdline", "environ", "comm", "status"):
        try:
            held = (process / kind).read_bytes()
        except OSError:
            continue
        for text in texts:
            if text.encode() in held:
                print(json.dumps([f"{kind} of a process", text]))
"""


_SAMPLER = """\
import json, pathlib, sys, threading
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
seen = set()
print("begun", flush=True)
while True:
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for kind in ("cmdline", "environ"):
            try:
                seen.add((process / kind).read_bytes().replace(b"\\0", b" ").decode(errors="replace"))
            except OSError:
                pass
    if over.wait(0.01):
        break
print(json.dumps(sorted(seen)))
"""


@contextmanager
def looking_on(hub: LiveHub, host: str, who: str | None) -> Iterator[list[str]]:
    """While this holds, that user reads of each process what can be read, once at least; then it is here."""
    seen: list[str] = []
    process = hub.cluster.popen(host, ["/usr/bin/python3", "-c", _SAMPLER], who)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    try:
        yield seen
        said, _ = process.communicate(timeout=30)
        seen += json.loads(said)
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Found:
    """A secret where it should not be."""

    place: str
    secret: str


class Scan:
    """For these secrets: ``texts`` are what each can look like, with its name."""

    def __init__(self, hub: LiveHub, texts: Mapping[str, str]) -> None:
        self.hub = hub
        self.texts = texts
        self.looked: dict[str, int] = {}
        """How many characters were read at each place: one with nothing in it was not looked at."""

    def in_text(self, place: str, text: str) -> set[Found]:
        """In what somebody was shown."""
        self.looked[place] = self.looked.get(place, 0) + len(text)
        return {Found(place, name) for secret, name in self.texts.items() if secret in text}

    def in_processes(self, who: str | None, *hosts: str) -> set[Found]:
        """In command lines and environments that this user can read; root: None."""
        found = set()
        for host in hosts or HOSTS:
            done = self.hub.cluster.run(
                host,
                ["/usr/bin/python3", "-c", _PROCESSES],
                who,
                input=json.dumps(list(self.texts)),
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            for line in done.stdout.splitlines():
                place, text = json.loads(line)
                found.add(Found(f"{place}, read by {who or 'root'}", self.texts[text]))
        return found

    def in_files(self, who: str | None) -> set[Found]:
        """In files that this user can read on each host; root's look leaves out where secrets may lie."""
        found = set()
        for host in HOSTS:
            for path, text in self._grep(host, who):
                if who is not None or not self._is_lawful(host, path):
                    found.add(Found(f"{path} on {host}, read by {who or 'root'}", self.texts[text]))
        return found

    def _grep(self, host: str, who: str | None) -> set[tuple[str, str]]:
        argv = ["grep", "-raosFZ", "--devices=skip", "-f", "-", *DIRECTORIES]
        done = self.hub.cluster.run(host, argv, who, input="\n".join(self.texts) + "\n", timeout=120)
        found = (line.partition("\0") for line in done.stdout.splitlines())
        # The checkout may lie in one of them, and holds the passwords that tests type.
        return {(path, text) for path, _, text in found if not Path(path).is_relative_to(REPOSITORY)}

    def _is_lawful(self, host: str, path: str) -> bool:
        """True for what is closed to others, itself or by its directory: of the hub's, or of a session's."""
        done = self.hub.cluster.run(host, ["stat", "--format=%a", path, str(Path(path).parent)])
        if done.returncode != 0:
            return True  # it was one of the moment, of a session that is at work
        places = (str(hub_site.STATE_DIRECTORY), str(hub_site.CONF_D), "/tmp/clusterhub-")  # noqa: S108 - of a node
        return path.startswith(places) and any(int(mode, 8) & 0o007 == 0 for mode in done.stdout.split())

    def in_records(self, who: str | None, job: str) -> set[Found]:
        """In what the scheduler and its accounting tell this user."""
        found = set()
        for argv in records_of(job):
            done = self.hub.cluster.run("gateway", argv, who)
            said = f"{' '.join(argv[:2])}, asked by {who or 'root'}"
            found |= self.in_text(said, done.stdout + done.stderr)
        return found

    def in_what_operators_see(self) -> set[Found]:
        """In the logs of hub and proxy, the audit log, and the configuration as it is shown."""
        found = self.in_text("the hub's log", self.hub.log())
        found |= self.in_text("the audit log", (hub_site.STATE_DIRECTORY / "audit.jsonl").read_text())
        program = Path(sys.executable).with_name("clusterhub")
        for form in ([], ["--json"]):
            show = [str(program), "config", "show", *form, "--site", str(hub_place.SITE)]
            shown = self.hub.cluster.run("gateway", show, timeout=60)
            assert shown.returncode == 0, shown.stderr
            found |= self.in_text("config show", shown.stdout + shown.stderr)
        return found


def records_of(job: str) -> Sequence[list[str]]:
    """Everything that Slurm's own commands tell of a job."""
    return (
        ["scontrol", "--details", "--details", "show", "job", job],
        ["scontrol", "show", "step"],
        ["scontrol", "write", "batch_script", job, "-"],
        ["squeue", "--all", "--format=%all"],
        ["sacct", f"--jobs={job}", "--format=ALL", "--parsable2"],
        ["sacct", f"--jobs={job}", "--batch-script"],
        ["sacct", f"--jobs={job}", "--env-vars"],
        ["sstat", f"--jobs={job}", "--allsteps", "--format=ALL", "--parsable2"],
        ["sacctmgr", "--parsable2", "list", "transactions"],
    )
