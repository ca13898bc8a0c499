"""Being somebody else, in processes of their own and for good; and running programs as them."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import signal
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from clusterhub.privileged.helper.accounts import Caller
from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.refusal import Refused

CHILD_BYTES = 4 << 20  # a reply with the longest log, every character of it escaped
OUTPUT_BYTES = 64 << 10  # of each of a program's streams
OWN_END = 1.0  # seconds after the deadline at which a program ends itself, if nobody has ended it
SAFE_PATH = "/usr/local/bin:/usr/bin:/bin"


class Actor(NamedTuple):
    """One person, and what it takes to do something as them."""

    account: pwd.struct_passwd
    configuration: Configuration
    caller: Caller
    deadline: float
    """When all of it has to be done, in seconds of `time.monotonic`: then whoever asked gives it up."""

    @property
    def change_account(self) -> bool:
        """False where the caller is the person already."""
        return not self.caller.acts_as_itself(self.configuration)

    def become(self) -> None:
        """Drop to that account for good; for a child process only. Raises if anything of it did not work."""
        uid, gid = self.account.pw_uid, self.account.pw_gid
        if self.change_account:
            os.setpriority(os.PRIO_PROCESS, 0, 0)  # as from a login: some sites' Slurm hands it on to the job
            os.initgroups(self.account.pw_name, gid)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            try:
                os.setuid(0)
            except PermissionError:
                pass
            else:
                raise RuntimeError("root could be had again")
            if os.getresgid() != (gid,) * 3:
                raise RuntimeError("the group was not changed")
        if os.getresuid() != (uid,) * 3:
            raise RuntimeError("the account was not changed")
        os.umask(self.configuration.umask)
        try:
            os.chdir(self.account.pw_dir)
        except (OSError, ValueError):
            os.chdir("/")

    def call(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns when the person does it."""

        def as_person() -> Any:
            self.become()
            return work()

        return in_child(as_person, self.deadline)

    def environment(self) -> dict[str, str]:
        """A clean environment: nothing of the hub's comes along."""
        name = self.account.pw_name
        return {
            "PATH": SAFE_PATH,
            "HOME": self.account.pw_dir,
            "USER": name,
            "LOGNAME": name,
            "SHELL": self.account.pw_shell or "/bin/sh",
            "LANG": "C.UTF-8",
            **self.configuration.environment,
        }


def in_child(work: Callable[[], Any], deadline: float) -> Any:
    """What ``work`` returns, run in a process of its own so that it can change account, hang or crash."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer_and_exit(work, writing)
    os.close(writing)
    answer = bytearray()
    _read({reading: answer}, CHILD_BYTES, deadline)
    os.close(reading)
    os.kill(child, signal.SIGKILL)  # it has said all, or is too slow or too long
    os.waitpid(child, 0)
    try:
        reply = json.loads(answer)
    except ValueError:
        raise Refused("no whole answer in time", next_step="try again in a minute", kind="failed") from None
    if "refused" in reply:
        raise Refused(*reply["refused"])
    return reply["value"]


def _answer_and_exit(work: Callable[[], Any], writing: int) -> NoReturn:
    try:
        try:
            reply = {"value": work()}
        except Refused as error:
            reply = {"refused": [error.what, error.where, error.next_step, error.kind]}
        except Exception as error:
            cause = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            reply = {"refused": [f"it failed: {cause}", "", "", "failed"]}
        with os.fdopen(writing, "wb") as file:
            file.write(json.dumps(reply).encode())
    finally:
        os._exit(0)


def run_program(
    actor: Actor, argv: list[str], stdin: str = "", variables: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Run a configured program; what it says and its exit code, None where it was cut off.

    ``variables`` are set besides those of the clean environment.

    It ends by the deadline, whatever becomes of this process: nothing is submitted once that was given up.
    """
    import subprocess  # some milliseconds that only those pay who run something

    command = [*actor.configuration.programs[argv[0]], *argv[1:]]

    def begin() -> None:
        # The clock goes on in the program that this process becomes, also where root hangs or was killed.
        # Before all else: a home directory on a file system that is away keeps us for as long as it likes.
        signal.setitimer(signal.ITIMER_REAL, max(0.0, actor.deadline - time.monotonic()) + OWN_END)
        actor.become()

    if time.monotonic() >= actor.deadline:
        raise Refused("no time was left to run it", argv[0], "try again in a minute", "failed")
    try:
        # A file in memory rather than a pipe: nobody has to feed a program that does not read.
        with os.fdopen(os.memfd_create("stdin"), "w+b") as file:
            file.write(stdin.encode())
            file.seek(0)
            process = subprocess.Popen(
                command,
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**actor.environment(), **variables},
                preexec_fn=begin,  # noqa: PLW1509 - there is one thread only
                start_new_session=True,
            )
    except (OSError, subprocess.SubprocessError) as error:
        cause = (isinstance(error, OSError) and error.strerror) or "the account could not be taken on"
        what = f"{argv[0]} could not be started: {cause}"
        raise Refused(what, command[0], "is it there, and may everybody run it?") from None
    outputs = {stream.fileno(): bytearray() for stream in (process.stdout, process.stderr) if stream}
    problem = _read(outputs, OUTPUT_BYTES, actor.deadline)
    if not problem:
        try:
            process.wait(max(0.0, actor.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            problem = "it closed its output and did not end"
    if problem:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    stdout, stderr = (text[:OUTPUT_BYTES].decode(errors="replace") for text in outputs.values())
    code = None if problem else process.returncode
    return {"exit_code": code, "stdout": stdout, "stderr": stderr, "problem": problem}


def _read(outputs: dict[int, bytearray], longest: int, deadline: float) -> str:
    """Fill ``outputs``, by descriptor, until all have ended. Returns what cut it off, or ""."""
    still_open = set(outputs)
    while still_open:
        left = deadline - time.monotonic()
        ready = select.select(still_open, [], [], left)[0] if left > 0 else []
        if not ready:
            return "no answer in time"
        for descriptor in ready:
            chunk = os.read(descriptor, 65536)
            outputs[descriptor] += chunk
            if not chunk:
                still_open.remove(descriptor)
            if len(outputs[descriptor]) > longest:
                return f"more than {longest} bytes of output"
    return ""
