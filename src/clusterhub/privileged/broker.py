"""The hub's side of the helper: the only way in which the hub does something as a person."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pwd
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clusterhub.audit.request import CURRENT
from clusterhub.errors import ClusterhubError
from clusterhub.privileged.archive import ISOLATED, helper_archive
from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.person import CHILD_BYTES, SAFE_PATH
from clusterhub.privileged.helper.requests import LOG_BYTES, REQUEST_BYTES
from clusterhub.privileged.turns import Rank, Turns
from clusterhub.schedulers.command import run
from clusterhub.schedulers.model import CommandResult, Submission

INSTALLED_HELPER = Path("/usr/libexec/clusterhub/helper")
SUDO_HELPER = ("/usr/bin/sudo", "-n", "--", str(INSTALLED_HELPER))
"""How a service account runs it."""

Mode = Literal["auto", "direct", "self", "sudo"]

HelperConfiguration = Configuration
"""What the helper may do, as it reads it."""

_ANSWER_BYTES = CHILD_BYTES + 65536
COMMANDS_AT_ONCE = max(4, min(2 * (os.cpu_count() or 1), 16))
"""More would only take the processor from each other, and from the hub."""
LOGINS_AT_ONCE = 8
"""Passwords that are checked at a time."""

_RANKS = {"cancel": Rank.END, "signal": Rank.END, "submit": Rank.START}
_OVERHEAD = 256  # bytes of a request for its verb, its time and its id
_SECONDS_OVER = 15.0  # for sudo, PAM and a slow file system, beyond the helper's own limit
_TO_ANSWER = 10.0  # of them, for the helper to end what it has run, and say so, before it is given up


@dataclass(frozen=True)
class Question:
    """What PAM asks of the person besides the password, such as a one-time code."""

    text: str
    hidden: bool
    """Whether the answer is not to be seen while it is typed."""


@dataclass(frozen=True)
class LoginResult:
    """PAM's answer. ``reason`` is "" or one of the helper's words, such as ``wrong-password``."""

    ok: bool
    reason: str = ""
    messages: tuple[str, ...] = ()
    """What PAM's modules said to the person."""
    questions: tuple[Question, ...] = ()
    """What they asked further, where the reason is ``more-questions``."""


@dataclass(frozen=True)
class Account:
    """A Unix account as the machine of the hub knows it."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    groups: tuple[str, ...]
    home_exists: bool
    shell_allowed: bool
    allowed: bool
    """Whether the operator's list lets them in."""


@dataclass(frozen=True)
class LogFile:
    """One of a person's session logs; its size in bytes, its last change in seconds since the epoch."""

    name: str
    bytes: int
    modified_at: float


class BrokerError(ClusterhubError):
    """The helper refused a request, or gave no answer that can be read."""


class Broker:
    """Hands requests to the helper: a few at a time, each with a limit on its time and its output.

    Whatever asks the scheduler as a person goes through here, so that ``commands_at_once`` is also the most
    that the scheduler is asked at a time for all of them; `Turns` has the order. Logins have a pool of their
    own, in order of arrival: PAM takes seconds to refuse a wrong password, and a crowd that logs in must not
    keep anybody's job from being submitted or cancelled.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        *,
        program_seconds: int = 30,
        commands_at_once: int = COMMANDS_AT_ONCE,
        logins_at_once: int = LOGINS_AT_ONCE,
    ) -> None:
        self.command = command
        self.seconds = program_seconds + _SECONDS_OVER
        """After so long nothing that was asked for is under way any more."""
        self._commands = Turns(commands_at_once)
        self._logins = asyncio.Semaphore(logins_at_once)
        self._accounts: dict[str, tuple[float, Account]] = {}

    @classmethod
    def for_this_process(
        cls, configuration: HelperConfiguration, runtime_directory: Path, mode: Mode = "auto"
    ) -> Broker:
        """The broker for this account.

        ``direct``: we are root and the helper changes account itself. ``self``: everything is done as the
        account that we have already (root only if ``only_person`` is root). ``sudo``: a service account
        with the installed helper, whose configuration is the operator's file. Raises `BrokerError` where
        the mode cannot work here.
        """
        if mode == "auto":
            mode = "direct" if os.geteuid() == 0 else "sudo" if INSTALLED_HELPER.exists() else "self"
        seconds = configuration.program_seconds
        if mode == "sudo":
            if not INSTALLED_HELPER.exists():
                raise BrokerError(
                    "The helper is not installed.",
                    where=str(INSTALLED_HELPER),
                    next="Run `clusterhub setup` as root.",
                )
            return cls(SUDO_HELPER, program_seconds=seconds)
        if mode == "direct" and os.geteuid() != 0:
            raise BrokerError("Only root can act for others directly.", next="Use the mode `sudo` or `self`.")
        if mode == "self":
            configuration = configuration._replace(only_person=_own_name())
        # The archive rather than the sources: the hub's site-packages stay out of what runs as others.
        program = _ensure_private_file(
            runtime_directory / "helper", helper_archive(sys.executable, compiled=True)
        )
        text = configuration.as_json().encode()
        path = _ensure_private_file(runtime_directory / "helper.json", text)
        command = (sys.executable, ISOLATED, str(program), "--configuration", str(path))
        return cls(command, program_seconds=seconds)

    def ahead(self, task: asyncio.Task[Any]) -> int:
        """How many go before what this task has asked for; 0 where it does not wait for its turn."""
        return self._commands.ahead(task)

    async def submit(
        self, person: str, submission: Submission, ticket: tuple[str, str] | None = None
    ) -> CommandResult:
        """Submit a job as the person; ``ticket`` is the name and text of a file to put beside its log.

        Raises `BrokerError` where nothing was submitted. Where nobody can tell, the result has no exit code.
        """
        request: dict[str, Any] = {"person": person, "argv": list(submission.argv), "stdin": submission.stdin}
        if ticket is not None:
            request["ticket"] = {"name": ticket[0], "text": ticket[1]}
        result = await self._run_helper("submit", request)
        try:
            return _command_result(_reply(result))
        except _NoAnswer as error:
            return CommandResult(None, "", "", problem=error.explanation.what)

    async def estimate(self, person: str, argv: tuple[str, ...]) -> CommandResult:
        """Ask as the person when a job would start that is not submitted by this. Raises `BrokerError`."""
        return _command_result(await self._ask("estimate", {"person": person, "argv": list(argv)}))

    async def cancel(self, person: str, argv: tuple[str, ...]) -> CommandResult:
        """Cancel one job as the person, so that the scheduler itself sees to it that it is theirs."""
        return _command_result(await self._ask("cancel", {"person": person, "argv": list(argv)}))

    async def signal(self, person: str, program: str, job_id: str, name: str) -> CommandResult:
        """Send a signal, such as ``USR1``, to one job as the person. ``program`` is that which cancels."""
        request = {"person": person, "program": program, "job": job_id, "signal": name}
        return _command_result(await self._ask("signal", request))

    async def read_log(self, person: str, name: str, max_bytes: int = 65536) -> str:
        """The end of one of the person's session logs; "" if there is none yet."""
        size = max(1, min(max_bytes, LOG_BYTES))
        reply = await self._ask("read-log", {"person": person, "name": name, "bytes": size})
        return str(_field(reply, "text", str))

    async def list_logs(self, person: str) -> tuple[LogFile, ...]:
        """The person's session logs, newest first."""
        logs = _field(await self._ask("list-logs", {"person": person}), "logs", list)
        try:
            return tuple(
                LogFile(str(log["name"]), int(log["bytes"]), float(log["modified_at"])) for log in logs
            )
        except (KeyError, TypeError, ValueError):
            raise _unreadable() from None

    async def look_at_environment(self, person: str, path: str) -> Mapping[str, Any]:
        """What the person sees of an environment; see `clusterhub.privileged.helper.environments`."""
        reply = await self._ask("look-at-environment", {"person": person, "path": path})
        for name in ("exists", "readable", "runs", "borrows"):
            _field(reply, name, bool)
        for name in ("python", "server"):
            _field(reply, name, str)
        return reply

    async def remove_ticket(self, person: str, name: str) -> None:
        """The ticket file of that name is gone."""
        await self._ask("remove-ticket", {"person": person, "name": name})

    async def authenticate(
        self, person: str, password: str, address: str = "", answers: Sequence[str] = ()
    ) -> LoginResult:
        """Ask PAM whether this is the person's password and whether they may come in now.

        ``answers`` are those to what PAM asks besides the password, in its order.
        """
        request = {"person": person, "password": password, "address": address, "answers": list(answers)}
        reply = _reply(await self._run_helper("authenticate", request))
        # Nothing but a true that says so lets anybody in.
        ok = _field(reply, "ok", bool) is True
        messages = tuple(str(message) for message in _field(reply, "messages", list))
        try:
            questions = tuple(
                Question(str(each["text"]), each["hidden"] is not False)
                for each in _field(reply, "questions", list)
            )
        except (KeyError, TypeError):
            raise _unreadable() from None
        return LoginResult(ok, str(_field(reply, "reason", str)), messages, questions)

    async def account(self, person: str, *, max_age: float = 0.0) -> Account:
        """The person's Unix account, as it was ``max_age`` seconds ago at most.

        Raises `BrokerError` if there is none, or it is a system's.
        """
        asked_at, account = self._accounts.get(person, (0.0, None))
        if account is None or time.monotonic() - asked_at > max_age:
            account = await self._ask_account(person)
            self._accounts[person] = (time.monotonic(), account)
        return account

    async def why_disabled(self, person: str) -> str:
        """How the operators disabled the person's account, in a word such as ``locked``; else empty.

        Raises `BrokerError` where that is not known, also where there is no such account.
        """
        return str(_field(await self._ask("disabled", {"person": person}), "reason", str))

    async def _ask_account(self, person: str) -> Account:
        reply = await self._ask("account", {"person": person})
        fields = {one.name: reply.get(one.name) for one in dataclasses.fields(Account)}
        groups = _field(reply, "groups", list)
        if None in fields.values() or reply["name"] != person:
            raise _unreadable()
        return Account(**{**fields, "groups": tuple(groups)})  # type: ignore[arg-type]

    async def _ask(self, verb: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return _reply(await self._run_helper(verb, request))

    async def _run_helper(self, verb: str, request: Mapping[str, Any]) -> CommandResult:
        if len(json.dumps(request)) > REQUEST_BYTES - _OVERHEAD:
            raise BrokerError(
                "The request is too long for the helper.",
                where=f"{verb} for {request['person']}",
                next="Shorten the profile's prologue or directives.",
            )
        turn = self._commands.turn(request["person"], _RANKS.get(verb, Rank.LOOK))
        async with self._logins if verb == "authenticate" else turn:
            # However late sudo lets it begin: what it runs is to end while its answer is still waited for, or
            # a job that was given up is submitted after all.
            until = time.monotonic() + self.seconds - _TO_ANSWER
            origin = {"request": CURRENT.get().id} if CURRENT.get().id else {}
            text = json.dumps({"verb": verb, "until": until, **origin, **request})
            return await run(
                self.command,
                environment={"PATH": SAFE_PATH, "LANG": "C.UTF-8"},
                timeout=self.seconds,
                max_output=_ANSWER_BYTES,
                stdin=text,
            )


class _NoAnswer(BrokerError):
    """No reply that can be trusted: whatever was asked may have been done or not."""


def _unreadable() -> _NoAnswer:
    return _NoAnswer(
        "The helper's answer cannot be read.",
        next="See whether hub and installed helper are of one version; `clusterhub setup` mends it.",
    )


def _reply(result: CommandResult) -> Mapping[str, Any]:
    """The helper's reply, or the error in it, or `_NoAnswer`."""
    if result.exit_code is None:
        raise _NoAnswer(
            f"The helper gave no answer: {result.problem}.", next="Look at the load of the hub's machine."
        )
    if result.exit_code != 0:
        raise _NoAnswer(
            f"The helper ended with exit code {result.exit_code}.",
            log=tuple(result.stderr.splitlines()[-5:]),
            next="Look at the lines below; with sudo, at /etc/sudoers.d/clusterhub.",
        )
    try:
        reply = json.loads(result.stdout)
    except (ValueError, RecursionError):
        raise _unreadable() from None
    if not isinstance(reply, dict):
        raise _unreadable()
    error = reply.get("error")
    if error is None:
        return reply
    if not isinstance(error, dict) or not all(
        isinstance(error.get(part), str) for part in ("what", "where", "next")
    ):
        raise _unreadable()
    # An internal error may have come after the deed; a refusal or a failed start has not.
    kind = _NoAnswer if error.get("kind") == "internal" else BrokerError
    raise kind(f"The helper refused: {error['what']}.", where=error["where"], next=error["next"])


def _field(reply: Mapping[str, Any], key: str, kind: type) -> Any:
    if not isinstance(reply.get(key), kind):
        raise _unreadable()
    return reply[key]


def _command_result(reply: Mapping[str, Any]) -> CommandResult:
    code = reply.get("exit_code")
    if code is not None and type(code) is not int:
        raise _unreadable()
    texts = [_field(reply, key, str) for key in ("stdout", "stderr", "problem")]
    return CommandResult(code, texts[0], texts[1], problem=texts[2])


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise BrokerError(
            "This process runs under a uid that has no account.",
            where=f"uid {os.geteuid()}",
            next="Run it as an account that `getent passwd` knows.",
        ) from None


def _ensure_private_file(path: Path, content: bytes) -> Path:
    """The file has that content, is for our eyes only, and was replaced in one step."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.parent.stat()
    if status.st_uid not in (0, os.getuid()) or status.st_mode & 0o022:
        raise BrokerError(
            "Others could replace the helper: they may write its directory.",
            where=str(path.parent),
            next=f"Let it belong to {_own_name()}, mode 0755 or stricter.",
        )
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)
    return path
