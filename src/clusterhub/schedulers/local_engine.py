"""The embedded engine: runs jobs as processes on this machine. Standard library only; a program of its own.

    python -I local_engine.py submit --directory=D --name=N --tag=T --cpus=1 --time=3600 --output=L < script
    python -I local_engine.py queue --directory=D [--name=N]
    python -I local_engine.py cancel --directory=D ID
    python -I local_engine.py end-all --directory=D

There is no daemon. Each job has a directory ``D/jobs/<id>`` and a process that supervises it from the submit
to the end, which alone writes ``record.json``. It outlives whoever submitted the job. A record that is not
ended and whose supervisor is gone (killed, or the machine was restarted) is a job that its node lost; whoever
looks next says so.

Jobs start first come, first served: only the oldest queued job may start, so no two supervisors ever decide
at once.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import pwd
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

REFUSED = 2
KEEP_SECONDS = 3600.0
"""How long a job is listed after its end."""
FORGET_SECONDS = 86400.0
"""How long the files of an ended job are kept."""
GRACE_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""
POLL_SECONDS = 1.0
"""Between two looks at the memory of a job that has a limit, or at the room for one that waits."""
ANSWER_SECONDS = 5.0
"""How long `cancel` waits for a queued job to be out of the queue."""
HALF_MADE_SECONDS = 10.0
"""A job's directory without a record is one that is being submitted, for no longer than this."""
STDIO = 3
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PAGE = os.sysconf("SC_PAGE_SIZE")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WATCHED = (signal.SIGCHLD, signal.SIGTERM)

Record = dict[str, Any]


def complain(sentence: str) -> None:
    sys.stderr.write(f"local-engine: {sentence}\n")


def refuse(sentence: str) -> NoReturn:
    """Say why a request is not taken, and end."""
    complain(sentence)
    raise SystemExit(REFUSED)


# Records


def write_record(directory: Path, record: Record) -> None:
    """Replace the record in one step."""
    new = directory / "record.new"
    new.write_text(json.dumps(record))
    new.rename(directory / "record.json")


def read_record(directory: Path) -> Record | None:
    """The record as it is; None where there is none (yet)."""
    try:
        record = json.loads((directory / "record.json").read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def job_directories(engine: Path) -> list[Path]:
    """The directories of all jobs, oldest first."""
    try:
        found = [entry for entry in (engine / "jobs").iterdir() if entry.name.isdigit()]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda directory: int(directory.name))


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When the process started, in ticks since boot: with the pid it names one process. None: it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_supervised(record: Record) -> bool:
    """True while the process that supervises this job lives."""
    same = record["boot"] == boot_id()
    return bool(same and start_time(record["supervisor"]) == record["supervisor_started"])


def current(directory: Path) -> Record | None:
    """The record, put right where the supervisor is gone without having ended it."""
    record = read_record(directory)
    if record is None or record["state"] == "ended" or is_supervised(record):
        return record
    # It may have ended the job in between: a record is only lost if it still says so now.
    record = read_record(directory)
    if record is None or record["state"] == "ended":
        return record
    reason = "SupervisorGone" if record["boot"] == boot_id() else "Reboot"
    end_stray_processes(record)
    record.update(state="ended", outcome="node failed", reason=reason, ended_at=time.time())
    with contextlib.suppress(OSError):
        # Another person's record cannot be written; then every look finds the same again.
        write_record(directory, record)
    return record


def end_stray_processes(record: Record) -> None:
    """Kill what a job without a supervisor left running: its processes are known by their environment."""
    marks = {f"{key}={value}".encode() for key, value in job_marks(record).items()}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if marks <= set((entry / "environ").read_bytes().split(b"\0")):
                    os.kill(int(entry.name), signal.SIGKILL)


def job_marks(record: Record) -> dict[str, str]:
    return {"CLUSTERHUB_JOB_ID": str(record["id"]), "CLUSTERHUB_ENGINE": record["engine"]}


# Submit


def submit(options: argparse.Namespace) -> None:
    """Put a job in the queue, leave its supervisor behind and print the id."""
    script = sys.stdin.read()
    if not script.startswith("#!"):
        refuse("the script does not begin with #!")
    for what in ("cpus", "memory"):
        asked, there = getattr(options, what), getattr(options, f"capacity_{what}")
        if asked is not None and there is not None and asked > there:
            refuse(f"{what}={asked} is more than all that this engine has ({there})")
    directory = make_job_directory(options.directory)
    (directory / "script").write_text(script)
    record = new_record(options, int(directory.name))
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        try:
            detach(keep=writing)
            record |= {"supervisor": os.getpid(), "supervisor_started": start_time(os.getpid())}
            write_record(directory, record)
            os.write(writing, b"submitted")
            os.close(writing)
            Supervisor(options.directory, directory, record).supervise()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        if answer.read() != b"submitted":
            complain("the job's supervisor ended at once")
            raise SystemExit(1)
    sys.stdout.write(f"{record['id']}\n")
    forget_old_jobs(options.directory)


def make_job_directory(engine: Path) -> Path:
    """A new directory with the next free number: whoever makes it has the id."""
    jobs = engine / "jobs"
    jobs.mkdir(parents=True, exist_ok=True)
    number = max((int(directory.name) for directory in job_directories(engine)), default=0)
    while True:
        number += 1
        with contextlib.suppress(FileExistsError):
            (jobs / str(number)).mkdir()
            return jobs / str(number)


def new_record(options: argparse.Namespace, job_id: int) -> Record:
    try:
        person = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        person = str(os.getuid())
    return {
        "id": job_id,
        "engine": str(options.directory),
        "state": "queued",
        "reason": "",
        "name": options.name,
        "tag": options.tag,
        "person": person,
        "node": socket.gethostname(),
        "cpus": options.cpus,
        "memory": options.memory,
        "capacity_cpus": options.capacity_cpus,
        "capacity_memory": options.capacity_memory,
        "time": options.time,
        "output": options.output.replace("{job}", str(job_id)),
        "chdir": options.chdir,
        "submitted_at": time.time(),
        "started_at": None,
        "ended_at": None,
        "outcome": None,
        "exit_code": None,
        "signal": None,
        "peak_memory": None,
        "boot": boot_id(),
    }


def detach(keep: int) -> None:
    """Leave the submitter's terminal, session, directory and open files."""
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(STDIO):
        os.dup2(nothing, descriptor)
    os.closerange(STDIO, keep)
    os.closerange(keep + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def forget_old_jobs(engine: Path) -> None:
    """Remove this person's long ended jobs; never the newest, which keeps the numbers growing."""
    for directory in job_directories(engine)[:-1]:
        record = read_record(directory)
        if record and record["state"] == "ended" and time.time() - record["ended_at"] > FORGET_SECONDS:
            with contextlib.suppress(OSError):
                for file in directory.iterdir():
                    file.unlink()
                directory.rmdir()


# Supervise


def descendants(root: int) -> list[int]:
    """All processes below this one. As it is their subreaper, none can leave by a double fork."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    children = [int(word) for word in (thread / "children").read_text().split()]
                    found += children
                    waiting += children
    return found


def resident_bytes(pids: Iterable[int]) -> int:
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return total


class Supervisor:
    """The process that stays with one job from the submit to the end."""

    def __init__(self, engine: Path, directory: Path, record: Record) -> None:
        self.engine = engine
        self.directory = directory
        self.record = record
        self.main: subprocess.Popen[bytes] | None = None
        self.status: int | None = None
        self.verdict: tuple[str, str] | None = None
        self.kill_at: float | None = None

    def supervise(self) -> None:
        # Blocked and taken by sigtimedwait: no handler, no race, no wake-up without a cause.
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        try:
            if self.wait_for_room():
                self.start()
                self.stay_until_its_end()
        except OSError as error:
            self.verdict = ("failed", f"{error.strerror}: {error.filename}")
            self.signal_all(signal.SIGKILL)
        self.finish()

    def note(self, **changes: Any) -> None:
        self.record.update(changes)
        with contextlib.suppress(OSError):
            # A full disk is no reason to end a job.
            write_record(self.directory, self.record)

    def wait_for_room(self) -> bool:
        """True when the job may start, False when it was cancelled before."""
        while (reason := self.reason_to_wait()) is not None:
            if reason != self.record["reason"]:
                self.note(reason=reason)
            caught = signal.sigtimedwait(WATCHED, POLL_SECONDS)
            if caught is not None and caught.si_signo == signal.SIGTERM:
                self.verdict = ("cancelled", f"by {caught.si_uid}")
                return False
        return True

    def reason_to_wait(self) -> str | None:
        used = {"cpus": self.record["cpus"], "memory": self.record["memory"] or 0}
        for directory in job_directories(self.engine):
            other = read_record(directory)
            if other is None:
                if int(directory.name) < self.record["id"] and is_half_made(directory):
                    return "Priority"
            elif other["state"] != "ended" and other["id"] != self.record["id"] and is_supervised(other):
                if other["state"] != "queued":
                    used["cpus"] += other["cpus"]
                    used["memory"] += other["memory"] or 0
                elif other["id"] < self.record["id"]:
                    return "Priority"
        for what, amount in used.items():
            capacity = self.record[f"capacity_{what}"]
            if capacity is not None and amount > capacity:
                return "Resources"
        return None

    def start(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        supervisor = os.getpid()

        def prepare() -> None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != supervisor:
                os._exit(1)

        log = Path(self.record["output"])
        log.parent.mkdir(parents=True, exist_ok=True)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        environment = self.environment()
        # Kept for good: a Popen that is dropped reaps its process, and takes the exit code with it.
        self.main = subprocess.Popen(
            ["/bin/bash", str(self.directory / "script")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=self.directory_to_start_in(),
            env=environment,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - there is one thread only
        )
        os.close(output)
        self.note(state="running", reason="", started_at=time.time())

    def directory_to_start_in(self) -> str:
        """The directory asked for, or / where it is not there; the script itself goes home where none is
        asked."""
        asked = self.record["chdir"] or "/"
        return asked if os.access(asked, os.X_OK) and Path(asked).is_dir() else "/"

    def environment(self) -> dict[str, str]:
        """A clean environment: nothing of the submitter's comes along."""
        environment = {"PATH": PATH, "LANG": os.environ.get("LANG", "C.UTF-8"), "CLUSTERHUB_RESTART": "0"}
        try:
            account = pwd.getpwuid(os.getuid())
        except KeyError:
            environment["HOME"] = os.environ.get("HOME", "/")
        else:
            name = account.pw_name
            environment |= {"HOME": account.pw_dir, "USER": name, "LOGNAME": name}
            environment["SHELL"] = account.pw_shell or "/bin/sh"
        return environment | job_marks(self.record)

    def stay_until_its_end(self) -> None:
        ends_at = time.monotonic() + self.record["time"]
        while not self.reap():
            now = time.monotonic()
            self.check_memory()
            if self.verdict is None and now >= ends_at:
                self.end("time limit", "TimeLimit")
            if self.kill_at is not None and now >= self.kill_at:
                self.signal_all(signal.SIGKILL)
                self.kill_at = now + POLL_SECONDS
            moments = [self.kill_at if self.kill_at is not None else ends_at]
            if self.record["memory"] is not None:
                moments.append(now + POLL_SECONDS)
            caught = signal.sigtimedwait(WATCHED, max(0.0, min(moments) - time.monotonic()))
            if caught is not None and caught.si_signo == signal.SIGTERM and self.verdict is None:
                self.end("cancelled", f"by {caught.si_uid}")

    def check_memory(self) -> None:
        limit = self.record["memory"]
        if limit is None or self.verdict is not None:
            return
        held = resident_bytes(descendants(os.getpid()))
        self.record["peak_memory"] = max(held, self.record["peak_memory"] or 0)
        if held > limit:
            # No grace: by the end of it the machine's memory could be gone.
            self.verdict = ("out of memory", "OutOfMemory")
            self.kill_at = time.monotonic()

    def end(self, outcome: str, reason: str) -> None:
        self.verdict = (outcome, reason)
        self.kill_at = time.monotonic() + GRACE_SECONDS
        self.signal_all(signal.SIGTERM)
        self.note(state="ending", reason=reason)

    def signal_all(self, number: signal.Signals) -> None:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def reap(self) -> bool:
        """Collect what has ended; True once the job's own script has."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if self.main is not None and ended[0] == self.main.pid:
                    self.status = ended[1]
        return self.status is not None

    def finish(self) -> None:
        """End what the script left behind and write down how it went."""
        while self.main is not None and descendants(os.getpid()):
            self.signal_all(signal.SIGKILL)
            signal.sigtimedwait([signal.SIGCHLD], POLL_SECONDS)
            self.reap()
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        outcome, reason = self.verdict or ("completed" if code == 0 else "failed", "")
        self.note(
            state="ended",
            outcome=outcome,
            reason=reason,
            exit_code=None if code is None else max(code, 0),
            signal=-code if code is not None and code < 0 else None,
            ended_at=time.time(),
        )


def is_half_made(directory: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - directory.stat().st_mtime < HALF_MADE_SECONDS
    return False


# Queue and cancel


def records(engine: Path) -> Iterator[tuple[Path, Record]]:
    """All jobs with a record, put right."""
    for directory in job_directories(engine):
        record = current(directory)
        if record is not None:
            yield directory, record


def queue(options: argparse.Namespace) -> None:
    """Print the jobs that are not over, and those that ended within the last hour."""
    listed = [
        record
        for _, record in records(options.directory)
        if (record["state"] != "ended" or time.time() - record["ended_at"] < KEEP_SECONDS)
        and options.name in (None, record["name"])
    ]
    json.dump({"jobs": listed}, sys.stdout)


def cancel(options: argparse.Namespace) -> None:
    """End a job; one that is over or unknown needs no ending."""
    record = current(options.directory / "jobs" / str(options.job))
    if record is None:
        complain(f"there is no job {options.job}")
    elif record["state"] != "ended":
        try:
            supervisor = signal_supervisor(record, signal.SIGTERM)
        except PermissionError:
            refuse(f"job {options.job} is another person's")
        if supervisor is not None:
            if record["state"] == "queued":
                select.select([supervisor], [], [], ANSWER_SECONDS)
            os.close(supervisor)


def signal_supervisor(record: Record, number: signal.Signals) -> int | None:
    """Send the signal to that process and none that has its pid by now. A descriptor that tells of its
    end."""
    try:
        descriptor = os.pidfd_open(record["supervisor"])
    except ProcessLookupError:
        return None
    try:
        if is_supervised(record):
            signal.pidfd_send_signal(descriptor, number)
            return descriptor
    except ProcessLookupError:
        pass
    except PermissionError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def end_all(options: argparse.Namespace) -> None:
    """End every job of this directory and return when all are gone."""
    live = [
        (directory, record) for directory, record in records(options.directory) if record["state"] != "ended"
    ]
    supervisors = [signal_supervisor(record, signal.SIGTERM) for _, record in live]
    deadline = time.monotonic() + GRACE_SECONDS + ANSWER_SECONDS
    for supervisor, (directory, record) in zip(supervisors, live, strict=True):
        if supervisor is not None:
            remaining = max(0.0, deadline - time.monotonic())
            if not select.select([supervisor], [], [], remaining)[0]:
                signal.pidfd_send_signal(supervisor, signal.SIGKILL)
                select.select([supervisor], [], [])
                end_stray_processes(record)
            os.close(supervisor)
        current(directory)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local-engine", allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in (submit, queue, cancel, end_all):
        sub = verbs.add_parser(verb.__name__.replace("_", "-"), allow_abbrev=False)
        sub.add_argument("--directory", type=lambda text: Path(text).absolute(), required=True)
        sub.set_defaults(run=verb)
        if verb is submit:
            for option in ("name", "tag", "output"):
                sub.add_argument(f"--{option}", required=True)
            sub.add_argument("--chdir")
            sub.add_argument("--cpus", type=int, default=1)
            sub.add_argument("--time", type=int, required=True)
            for option in ("memory", "capacity-cpus", "capacity-memory"):
                sub.add_argument(f"--{option}", type=int)
        elif verb is queue:
            sub.add_argument("--name")
        elif verb is cancel:
            sub.add_argument("job", type=int)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    parsed = parse(sys.argv[1:])
    parsed.run(parsed)
