#!/usr/bin/python3 -I
"""The one program of clusterhub that acts as other people: one JSON request in, one JSON reply out.

It is installed root-owned and run by sudo, or run by a hub that is root itself, or, without root, acts for
its own account only. It trusts nothing that it reads but its configuration: the verbs are closed, every
argument is checked here against a schema, and no path comes from the caller. The schedulers' programs run as
the person, with privileges dropped for good. Standard library only, Python 3.9 and newer, one file, so that
what runs as root can be read in one sitting and depends on nothing that another account may write.
"""

from __future__ import annotations

import contextlib
import grp
import ipaddress
import json
import os
import pwd
import re
import resource
import selectors
import shlex
import signal
import stat
import subprocess
import sys
import syslog
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

CONFIGURATION = "/etc/clusterhub/helper.json"
REQUEST_BYTES = 1 << 20
OUTPUT_BYTES = 64 << 10  # of each of a program's streams
LOG_BYTES = 256 << 10
CHILD_BYTES = 4 << 20  # a reply with the longest log, every character of it escaped
LONGEST_PROGRAM_SECONDS = 600
MOST_WORDS = 64  # of a command line
PRIVATE = 0o700
OTHERS = 0o077  # the bits of a mode that are not the owner's
SAFE_PATH = "/usr/local/bin:/usr/bin:/bin"


class Refused(Exception):
    """The request is not carried out. ``kind`` is "refused" (nothing was done) or "failed" (it was tried)."""

    def __init__(self, what: str, where: str = "", next_step: str = "", kind: str = "refused") -> None:
        super().__init__(what)
        self.what, self.where, self.next_step, self.kind = what, where, next_step, kind

    def reply(self) -> dict[str, Any]:
        """The error as it goes to the hub."""
        parts = {"what": self.what, "where": self.where, "next": self.next_step, "kind": self.kind}
        return {"error": parts}


# --- Configuration ------------------------------------------------------------------------------------------


class Configuration(NamedTuple):
    """What the operator allows; read from a file that only root (or this very account) may write."""

    programs: Mapping[str, list[str]]
    session_directory: str
    environment: Mapping[str, str] = MappingProxyType({})
    pam_service: str = "login"
    allow: Sequence[str] = ()
    minimum_uid: int = 1000
    only_person: str | None = None
    directives: Sequence[str] = ()
    engine_directories: Sequence[str] = ()
    """Where the local engine may keep its records."""
    audit_log: str | None = None
    program_seconds: int = 30
    umask: int = 0o022
    """Slurm hands it on to the job: a stricter one would hide a person's new files from their own group."""


def check_configuration(document: object) -> Configuration:
    """The configuration in a parsed JSON document; `Refused` names the key that is wrong."""
    if not isinstance(document, dict):
        raise Refused("the helper's configuration is not a JSON object", next_step="write it anew")

    def is_strings(value: object) -> bool:
        return isinstance(value, list) and all(isinstance(one, str) and "\0" not in one for one in value)

    def is_path(value: object) -> bool:
        return (
            isinstance(value, str)
            and re.fullmatch(r"(/[^\s/%\\]+)+", value) is not None
            and ".." not in value
        )

    def is_programs(value: object) -> bool:
        return isinstance(value, dict) and all(
            name in PROGRAMS and is_strings(argv) and argv and argv[0].startswith("/")
            for name, argv in value.items()
        )

    rules: dict[str, Callable[[Any], bool]] = {
        "programs": is_programs,
        "session_directory": is_path,
        "environment": lambda value: isinstance(value, dict) and is_strings([*value, *value.values()]),
        "pam_service": lambda value: (
            isinstance(value, str) and re.fullmatch(r"[a-z0-9_-]+", value) is not None
        ),
        "allow": is_strings,
        "minimum_uid": lambda value: type(value) is int and value >= 1,
        "only_person": lambda value: value is None or isinstance(value, str),
        "directives": lambda value: is_strings(value) and all(map(_directive_words, value)),
        "engine_directories": lambda value: isinstance(value, list) and all(map(is_path, value)),
        "audit_log": lambda value: value is None or is_path(value),
        "program_seconds": lambda value: type(value) is int and 1 <= value <= LONGEST_PROGRAM_SECONDS,
        "umask": lambda value: type(value) is int and 0 <= value <= OTHERS,
    }
    for key, value in document.items():
        if key not in rules or not rules[key](value):
            raise Refused("the helper's configuration has a wrong entry", str(key), "correct it in site.toml")
    for key in ("programs", "session_directory"):
        if key not in document:
            raise Refused("the helper's configuration lacks an entry", key, "write it anew")
    return Configuration(**document)


def read_configuration(path: str, owners: tuple[int, ...]) -> Configuration:
    """The configuration in that file, refused if anybody but ``owners`` could have written it."""
    next_step = "let the operator make it anew, owned by root, mode 0644 or stricter"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Refused(
            f"the helper's configuration cannot be read: {error.strerror}", path, next_step
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in owners or status.st_mode & 0o022:
            raise Refused("the helper's configuration could be written by others", path, next_step)
        text = file.read(REQUEST_BYTES)
    try:
        document = json.loads(text)
    except ValueError:
        raise Refused("the helper's configuration is not JSON", path, next_step) from None
    return check_configuration(document)


# --- The schema: pure checks --------------------------------------------------------------------------------

PERSON = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")
JOB = re.compile(r"[1-9][0-9]{0,9}")
LOG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,150}\.log")
OUTPUT_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.@+-]|%j|\{job\}){0,150}\.log")
TICKET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,150}\.ticket")
HUB_AND_SERVER = r"clusterhub:[A-Za-z0-9.-]{1,255}:(?P<person>[^:]*):[A-Za-z0-9_.-]{0,64}"
SIGNALS = ("CONT", "HUP", "INT", "KILL", "STOP", "TERM", "USR1", "USR2")

_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}"
_WORDS = rf"{_WORD}(?:,{_WORD}){{0,31}}"
_COUNT = r"[0-9]{1,7}"
_AMOUNT = r"[0-9]{1,15}[KMGT]?"
_GPUS = rf"(?:{_WORD}:)?{_COUNT}"
_GRES = rf"{_WORD}(?::{_WORD}){{0,2}}"
_TIME = r"(?:[0-9]{1,5}-)?[0-9]{1,9}(?::[0-9]{1,2}){0,2}"
_PATH = r"/[^\x00-\x1f\x7f]{0,4094}"


class Program(NamedTuple):
    """What a program's command line may hold. An option's pattern is None where it takes no value."""

    submit: Mapping[str, str | None] = MappingProxyType({})
    cancel: Mapping[str, str | None] | None = None
    signal_words: tuple[str, ...] = ()
    has_verbs: bool = False
    """Its first argument says what it is to do: "submit" or "cancel"."""
    tag: str = "--comment"


PROGRAMS = {
    "sbatch": Program(
        submit={
            "--parsable": None,
            "--job-name": _WORD,
            "--comment": HUB_AND_SERVER,
            "--chdir": _PATH,
            "--output": _PATH,
            "--time": _TIME,
            "--partition": _WORDS,
            "--account": _WORD,
            "--qos": _WORD,
            "--reservation": _WORDS,
            "--constraint": r"[A-Za-z0-9_&|*,!:.()\[\]-]{1,256}",
            "--nodes": rf"{_COUNT}(?:-{_COUNT})?",
            "--ntasks": _COUNT,
            "--ntasks-per-node": _COUNT,
            "--cpus-per-task": _COUNT,
            "--mem": _AMOUNT,
            "--mem-per-cpu": _AMOUNT,
            "--gpus": _GPUS,
            "--gpus-per-node": _GPUS,
            "--gres": rf"{_GRES}(?:,{_GRES}){{0,15}}",
            "--nice": r"-?[0-9]{1,10}",
            "--open-mode": "append|truncate",
            # ALL is all of the clean environment that `Actor.environment` makes; no names, no values.
            "--export": "ALL|NIL|NONE",
            "--propagate": "NONE",
            "--signal": rf"(?:[BR]{{1,2}}:)?[A-Z0-9]{{1,8}}(?:@{_COUNT})?",
            "--no-requeue": None,
            "--requeue": None,
        }
    ),
    "scancel": Program(cancel={"--full": None, "--quiet": None}, signal_words=("--full",)),
    "local-engine": Program(
        submit={
            "--directory": _PATH,
            "--name": _WORD,
            "--tag": HUB_AND_SERVER,
            "--cpus": _COUNT,
            "--memory": _AMOUNT,
            "--time": _COUNT,
            "--output": _PATH,
            "--chdir": _PATH,
            "--capacity-cpus": _COUNT,
            "--capacity-memory": _AMOUNT,
        },
        cancel={"--directory": _PATH},
        has_verbs=True,
        tag="--tag",
    ),
}

# Lines of a script that a scheduler reads as further options.
_SCRIPT_DIRECTIVE = re.compile(r"^#(?:SBATCH|PBS|BSUB)", re.MULTILINE)


def _text(value: object, where: str, longest: int, pattern: re.Pattern[str] | None = None) -> str:
    if not isinstance(value, str):
        raise Refused("a text was expected", where)
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise Refused("the text is not valid Unicode", where) from None
    if size > longest or "\0" in value:
        raise Refused(f"the text is longer than {longest} bytes, or has a NUL in it", where)
    if pattern is not None and pattern.fullmatch(value) is None:
        raise Refused("the text has characters or a form that are not allowed here", where)
    return value


def _words(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_WORDS:
        raise Refused(f"a list of 1 to {MOST_WORDS} texts was expected", where)
    return [_text(word, f"{where}[{place}]", 8192) for place, word in enumerate(value)]


def _person(value: object, where: str = "person") -> str:
    return _text(value, where, 64, PERSON)


def _job(value: object, where: str = "job") -> str:
    return _text(value, where, 10, JOB)


def _address(value: object) -> str:
    if value is None or value == "":
        return ""
    try:
        return str(ipaddress.ip_address(_text(value, "address", 64)))
    except ValueError:
        raise Refused("not an IP address", "address") from None


def _program(name: str, verb: str, where: str, configuration: Configuration) -> Program:
    program = PROGRAMS.get(name) if name in configuration.programs else None
    if program is not None:
        of_verb = {"submit": program.submit, "cancel": program.cancel, "signal": program.signal_words}
        if of_verb[verb]:
            return program
    next_step = "add it to the helper's configuration"
    raise Refused(f"there is no program of that name for {verb}", where, next_step)


def _first_option(argv: list[str], program: Program, verb: str) -> int:
    if not program.has_verbs:
        return 1
    if argv[1:2] != [verb]:
        raise Refused(f"the first word is not {verb}", "argv[1]")
    return 2


def _directive_words(directive: str) -> tuple[str, ...]:
    """The arguments that an operator's directive stands for; none for one that is no option."""
    try:
        words = tuple(shlex.split(directive))
    except ValueError:
        return ()
    return words if words and words[0].startswith("-") else ()


def _check_option(
    argument: str,
    where: str,
    options: Mapping[str, str | None],
    seen: dict[str, str],
    configuration: Configuration,
) -> None:
    option, equals, value = argument.partition("=")
    if option not in options:
        next_step = "operators add further ones to their cluster's directives"
        raise Refused("an option is not on the list", where, next_step)
    if option in seen:
        raise Refused(f"{option} is given twice", where)
    seen[option] = value
    pattern = options[option]
    if bool(equals) != (pattern is not None) or (pattern and re.fullmatch(pattern, value) is None):
        raise Refused(f"the value of {option} has a form that is not allowed", where)
    if option == "--directory" and value not in configuration.engine_directories:
        raise Refused("not a directory of the local engine's", where)


def check_submission(argv: list[str], person: str, configuration: Configuration) -> list[str]:
    """The arguments of a submit program, all of them closed options whose values have the right form."""
    program = _program(argv[0], "submit", "argv[0]", configuration)
    directives = [_directive_words(directive) for directive in configuration.directives]
    seen: dict[str, str] = {}
    place = _first_option(argv, program, "submit")
    while place < len(argv):
        allowed = [one for one in directives if one == tuple(argv[place : place + len(one)])]
        if allowed:
            place += len(allowed[0])
            continue
        _check_option(argv[place], f"argv[{place}]", program.submit, seen, configuration)
        place += 1
    tag = re.fullmatch(HUB_AND_SERVER, seen.get(program.tag, ""))
    if tag is None or tag["person"] != person:
        raise Refused("the job has no tag of this person's", program.tag)
    directory, _, name = seen.get("--output", "").rpartition("/")
    if directory != f"{configuration.session_directory}/{person}" or OUTPUT_NAME.fullmatch(name) is None:
        raise Refused("the log is not a *.log directly in the person's session directory", "--output")
    return argv


def check_cancellation(argv: list[str], configuration: Configuration) -> list[str]:
    """The arguments of a cancel: closed options, then exactly one job."""
    program = _program(argv[0], "cancel", "argv[0]", configuration)
    rest = argv[_first_option(argv, program, "cancel") :]
    if not rest:
        raise Refused("a cancel names one job", "argv")
    seen: dict[str, str] = {}
    for argument in rest[:-1]:
        _check_option(argument, "argv", program.cancel or {}, seen, configuration)
    _job(rest[-1], "argv[-1]")
    return argv


def _submit_fields(request: Mapping[str, Any], configuration: Configuration) -> dict[str, Any]:
    person = _person(request["person"])
    script = _text(request["stdin"], "stdin", REQUEST_BYTES)
    if _SCRIPT_DIRECTIVE.search(script):
        raise Refused(
            "the job script has lines that the scheduler would read as options",
            "stdin",
            "give them as directives of the cluster or profile",
        )
    ticket = request.get("ticket")
    if ticket is not None:
        if not isinstance(ticket, dict) or set(ticket) != {"name", "text"}:
            raise Refused("a ticket has a name and a text, nothing else", "ticket")
        ticket = {
            "name": _text(ticket["name"], "ticket.name", 160, TICKET_NAME),
            "text": _text(ticket["text"], "ticket.text", 4096),
        }
    argv = check_submission(_words(request["argv"], "argv"), person, configuration)
    return {"person": person, "argv": argv, "stdin": script, "ticket": ticket}


def _cancel_fields(request: Mapping[str, Any], configuration: Configuration) -> dict[str, Any]:
    argv = check_cancellation(_words(request["argv"], "argv"), configuration)
    return {"person": _person(request["person"]), "argv": argv}


def _signal_fields(request: Mapping[str, Any], configuration: Configuration) -> dict[str, Any]:
    name = _text(request["program"], "program", 64)
    words = _program(name, "signal", "program", configuration).signal_words
    if request["signal"] not in SIGNALS:
        raise Refused("not one of the signals that may be sent", "signal")
    argv = [name, *words, f"--signal={request['signal']}", _job(request["job"])]
    return {"person": _person(request["person"]), "argv": argv}


def _read_log_fields(request: Mapping[str, Any], _: Configuration) -> dict[str, Any]:
    count = request.get("bytes", LOG_BYTES)
    if type(count) is not int or not 1 <= count <= LOG_BYTES:
        raise Refused(f"a whole number from 1 to {LOG_BYTES} was expected", "bytes")
    name = _text(request["name"], "name", 160, LOG_NAME)
    return {"person": _person(request["person"]), "name": name, "bytes": count}


def _ticket_fields(request: Mapping[str, Any], _: Configuration) -> dict[str, Any]:
    return {"person": _person(request["person"]), "name": _text(request["name"], "name", 160, TICKET_NAME)}


def _authenticate_fields(request: Mapping[str, Any], _: Configuration) -> dict[str, Any]:
    # 511 bytes and a NUL are the longest answer that PAM takes (PAM_MAX_RESP_SIZE).
    password = _text(request["password"], "password", 511)
    address = _address(request.get("address"))
    return {"person": _person(request["person"]), "password": password, "address": address}


def _person_fields(request: Mapping[str, Any], _: Configuration) -> dict[str, Any]:
    return {"person": _person(request["person"])}


class Verb(NamedTuple):
    """A verb's keys besides "verb" and "person", and the function that checks their values."""

    required: frozenset[str]
    optional: frozenset[str]
    check: Callable[[Mapping[str, Any], Configuration], dict[str, Any]]


VERBS = {
    "submit": Verb(frozenset({"argv", "stdin"}), frozenset({"ticket"}), _submit_fields),
    "cancel": Verb(frozenset({"argv"}), frozenset(), _cancel_fields),
    "signal": Verb(frozenset({"program", "job", "signal"}), frozenset(), _signal_fields),
    "read-log": Verb(frozenset({"name"}), frozenset({"bytes"}), _read_log_fields),
    "list-logs": Verb(frozenset(), frozenset(), _person_fields),
    "remove-ticket": Verb(frozenset({"name"}), frozenset(), _ticket_fields),
    "authenticate": Verb(frozenset({"password"}), frozenset({"address"}), _authenticate_fields),
    "account": Verb(frozenset(), frozenset(), _person_fields),
}


def check_request(document: object, configuration: Configuration) -> tuple[str, dict[str, Any]]:
    """The verb and its checked fields; `Refused` for anything that is not exactly one of the verbs."""
    if not isinstance(document, dict) or not isinstance(document.get("verb"), str):
        raise Refused("a request is a JSON object with a verb")
    verb = VERBS.get(document["verb"])
    if verb is None:
        raise Refused("there is no such verb", "verb")
    keys = set(document) - {"verb"}
    required = verb.required | {"person"}
    if not required <= keys <= required | verb.optional:
        raise Refused("keys are missing, or there are unknown ones", document["verb"])
    return document["verb"], verb.check(document, configuration)


def parse_request(text: bytes, configuration: Configuration) -> tuple[str, dict[str, Any]]:
    """The same from the bytes on standard input. A key that stands twice is refused, too."""

    def no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    if len(text) > REQUEST_BYTES:
        raise Refused(f"the request is longer than {REQUEST_BYTES} bytes")
    try:
        document = json.loads(text, object_pairs_hook=no_key_twice)
    except (ValueError, RecursionError):
        raise Refused("the request is not JSON") from None
    return check_request(document, configuration)


# --- Accounts -----------------------------------------------------------------------------------------------


class Caller(NamedTuple):
    """Whose process this is, and how it came to run."""

    uid: int
    root: bool
    through_sudo: bool
    name: str

    def acts_as_itself(self, configuration: Configuration) -> bool:
        """True where no account is changed: without root, or for a hub that serves its own account only."""
        if not self.root:
            return True
        return not self.through_sudo and configuration.only_person == pwd.getpwuid(self.uid).pw_name


def is_system_account(account: pwd.struct_passwd, configuration: Configuration) -> bool:
    """Root, nobody (65534, and -1 in 16 and 32 bits) and everything below the lowest uid of a person."""
    reserved = (65534, 65535, 0xFFFFFFFE, 0xFFFFFFFF)
    name = account.pw_name
    return (
        account.pw_uid < configuration.minimum_uid or account.pw_uid in reserved or name in ("root", "nobody")
    )


def find_account(person: str) -> pwd.struct_passwd | None:
    """The account of exactly that name. Directories that ignore case answer to other spellings, too."""
    try:
        account = pwd.getpwnam(person)
    except KeyError:
        return None
    return account if account.pw_name == person else None


def permitted_account(person: str, configuration: Configuration, caller: Caller) -> pwd.struct_passwd:
    """The account to act as, or `Refused`."""
    account = find_account(person)
    if account is None:
        raise Refused(
            "there is no such account", person, "ask the operators whether it was removed or renamed"
        )
    if configuration.only_person not in (None, person):
        raise Refused("this hub serves one account only, and not this one", person)
    if caller.acts_as_itself(configuration):
        if account.pw_uid != caller.uid:
            raise Refused("without root, the helper acts for its own account only", person)
    elif is_system_account(account, configuration):
        raise Refused("nothing is done as a system account", person, "log in with a person's account")
    return account


def groups_of(account: pwd.struct_passwd) -> list[str]:
    """The names of the account's groups; numbers that have no name are left out."""
    names = set()
    for gid in os.getgrouplist(account.pw_name, account.pw_gid):
        with contextlib.suppress(KeyError):
            names.add(grp.getgrgid(gid).gr_name)
    return sorted(names)


def is_allowed(account: pwd.struct_passwd, configuration: Configuration) -> bool:
    """Whether the operator's list has the account or one of its groups; an empty list has everybody."""
    if not configuration.allow or account.pw_name in configuration.allow:
        return True
    return any(f"@{group}" in configuration.allow for group in groups_of(account))


def is_shell_allowed(shell: str) -> bool:
    """Whether /etc/shells has it and it lets anybody in."""
    try:
        with open("/etc/shells", encoding="utf-8", errors="replace") as file:
            shells = [line.strip() for line in file if line.startswith("/")]
    except OSError:
        shells = ["/bin/sh", "/bin/bash"]
    return (shell or "/bin/sh") in shells and shell.rpartition("/")[2] not in ("nologin", "false")


# --- Acting as the person -----------------------------------------------------------------------------------


def become(account: pwd.struct_passwd, umask: int, change_account: bool) -> None:
    """Drop to that account for good, in a process of its own. Raises if anything of it did not work."""
    if change_account:
        os.initgroups(account.pw_name, account.pw_gid)
        os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
        os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
        try:
            os.setuid(0)
        except PermissionError:
            pass
        else:
            raise RuntimeError("root could be had again")
    if os.getresuid() != (account.pw_uid,) * 3 or (
        change_account and os.getresgid() != (account.pw_gid,) * 3
    ):
        raise RuntimeError("the account was not changed")
    os.umask(umask)
    # Slurm hands our soft limits on to the job: no core file of a process with secrets unless asked for.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        os.chdir(account.pw_dir)
    except (OSError, ValueError):
        os.chdir("/")


def in_child(work: Callable[[], Any], seconds: float) -> Any:
    """What ``work`` returns, run in a process of its own so that it can change account, hang or crash."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer_and_exit(work, writing)
    os.close(writing)
    answer = b""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while len(answer) <= CHILD_BYTES and selector.select(deadline - time.monotonic()):
            chunk = os.read(reading, 65536)
            if not chunk:
                break
            answer += chunk
        else:
            os.kill(child, signal.SIGKILL)
    os.close(reading)
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
            text = (
                os.strerror(error.errno)
                if isinstance(error, OSError) and error.errno
                else type(error).__name__
            )
            reply = {"refused": [f"it failed: {text}", "", "", "failed"]}
        with os.fdopen(writing, "wb") as file:
            file.write(json.dumps(reply).encode())
    finally:
        os._exit(0)


class Actor(NamedTuple):
    """One person, and what it takes to do something as them."""

    account: pwd.struct_passwd
    configuration: Configuration
    change_account: bool

    def become(self) -> None:
        """See `become`; for a child process only."""
        become(self.account, self.configuration.umask, self.change_account)

    def call(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns when the person does it."""

        def as_person() -> Any:
            self.become()
            return work()

        return in_child(as_person, self.configuration.program_seconds)

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

    def run(self, argv: list[str], stdin: str = "") -> dict[str, Any]:
        """Run a configured program as the person, with a limit on its time and its output."""
        command = [*self.configuration.programs[argv[0]], *argv[1:]]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.environment(),
                preexec_fn=self.become,  # noqa: PLW1509 - there is one thread only
                start_new_session=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            cause = (isinstance(error, OSError) and error.strerror) or "the account could not be taken on"
            raise Refused(
                f"{argv[0]} could not be started: {cause}",
                command[0],
                "is it there, and may everybody run it?",
            ) from None
        return _talk_to(process, stdin.encode(), self.configuration.program_seconds)


def _talk_to(process: subprocess.Popen[bytes], stdin: bytes, seconds: int) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    outputs = {"stdout": bytearray(), "stderr": bytearray()}
    problem = _exchange(process, stdin, outputs, deadline)
    if not problem:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            problem = "it closed its output and did not end"
    if problem:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    texts = {name: bytes(text[:OUTPUT_BYTES]).decode(errors="replace") for name, text in outputs.items()}
    return {"exit_code": None if problem else process.returncode, **texts, "problem": problem}


def _exchange(
    process: subprocess.Popen[bytes], stdin: bytes, outputs: dict[str, bytearray], deadline: float
) -> str:
    """Write the input, fill ``outputs`` until both streams end. Returns what cut it off, or ""."""
    with selectors.DefaultSelector() as selector:
        for name in outputs:
            selector.register(getattr(process, name), selectors.EVENT_READ, name)
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                return "no answer in time"
            for key, _ in ready:
                if key.data == "stdin":
                    stdin = _write_some(key.fd, stdin)
                    over = not stdin
                else:
                    chunk = os.read(key.fd, 65536)
                    outputs[key.data] += chunk
                    over = not chunk
                if over:
                    selector.unregister(key.fileobj)
                    getattr(process, key.data).close()
            if any(len(output) > OUTPUT_BYTES for output in outputs.values()):
                return f"more than {OUTPUT_BYTES} bytes of output"
    return ""


def _write_some(descriptor: int, data: bytes) -> bytes:
    """What is left to write; nothing once the reader has gone."""
    try:
        return data[os.write(descriptor, data[:65536]) :] if data else b""
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return b""


# --- The session directory ----------------------------------------------------------------------------------

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_session_directory(path: str, caller: Caller) -> int:
    """A descriptor of the directory that holds everybody's; `Refused` if others may rename things in it."""
    try:
        descriptor = os.open(path, _DIRECTORY)
    except OSError as error:
        raise Refused(
            f"the session directory cannot be opened: {error.strerror}",
            path,
            "make it, owned by root, mode 0755",
        ) from None
    status = os.fstat(descriptor)
    shared = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
    if status.st_uid not in (0, caller.uid) or shared:
        os.close(descriptor)
        raise Refused(
            "others may rename what lies in the session directory", path, "chown root, chmod 0755 it"
        )
    return descriptor


def open_person_directory(parent: int, actor: Actor) -> int:
    """A descriptor of the person's own directory: really a directory, really theirs."""
    name = actor.account.pw_name
    where = f"{actor.configuration.session_directory}/{name}"
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        raise Refused("this person has had no session yet", where, "start one", "missing") from None
    except OSError as error:
        raise Refused(
            f"not a directory of theirs: {error.strerror}", where, "look who put it there"
        ) from None
    if os.fstat(descriptor).st_uid != actor.account.pw_uid:
        os.close(descriptor)
        raise Refused("the person's session directory belongs to another account", where, "look who made it")
    return descriptor


def ensure_person_directory(actor: Actor, caller: Caller) -> None:
    """The person's directory exists, is theirs, and nobody else can look into it."""
    root = actor.configuration.session_directory
    try:
        os.mkdir(root, 0o755)
    except FileExistsError:
        pass
    except OSError as error:
        next_step = "make it by hand, mode 1777 if root is nobody on this file system"
        raise Refused(f"the session directory cannot be made: {error.strerror}", root, next_step) from None
    name = actor.account.pw_name
    parent = open_session_directory(root, caller)
    try:
        try:
            os.mkdir(name, PRIVATE, dir_fd=parent)
        except FileExistsError:
            pass
        except OSError:
            # Root is nobody on a file system exported with root_squash; in a sticky one the person may.
            actor.call(lambda: os.mkdir(name, PRIVATE, dir_fd=parent))
        if actor.change_account and not os.fstat(parent).st_mode & 0o022:
            _give_away(parent, actor)
        descriptor = open_person_directory(parent, actor)
        try:
            if os.fstat(descriptor).st_mode & OTHERS:
                actor.call(lambda: os.fchmod(descriptor, PRIVATE))
        finally:
            os.close(descriptor)
    finally:
        os.close(parent)


def _give_away(parent: int, actor: Actor) -> None:
    """Hand a directory that root made (just now, or before a crash) to the person."""
    descriptor = os.open(actor.account.pw_name, _DIRECTORY, dir_fd=parent)
    try:
        if os.fstat(descriptor).st_uid == 0:
            os.fchown(descriptor, actor.account.pw_uid, actor.account.pw_gid)
    finally:
        os.close(descriptor)


def in_person_directory(actor: Actor, caller: Caller, work: Callable[[int], Any]) -> Any:
    """What ``work`` returns when the person does it, given a descriptor of their session directory."""

    def open_and_work() -> Any:
        parent = open_session_directory(actor.configuration.session_directory, caller)
        return work(open_person_directory(parent, actor))

    return actor.call(open_and_work)


def write_ticket(directory: int, name: str, text: str) -> None:
    """A fresh 0600 file with that text; whatever had the name before is gone."""
    remove_file(directory, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def remove_file(directory: int, name: str) -> None:
    """The file is not there; fine if it never was."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def tail(directory: int, name: str, count: int) -> dict[str, Any]:
    """The last bytes of a regular file of that name, as text."""
    try:
        descriptor = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory
        )
    except FileNotFoundError:
        return {"text": "", "missing": True}
    except OSError as error:
        raise Refused(f"the log cannot be read: {error.strerror}", name, kind="failed") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("the log is not a regular file", name)
        file.seek(max(0, status.st_size - count))
        return {"text": file.read(count).decode(errors="replace"), "missing": False}


def list_files(directory: int) -> list[dict[str, Any]]:
    """Name, size in bytes and time of last change of each log, newest first, 1,000 at most."""
    found = []
    for name in os.listdir(directory):
        if LOG_NAME.fullmatch(name):
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                entry = {"name": name, "bytes": status.st_size, "modified_at": status.st_mtime}
                found.append((status.st_mtime, entry))
    return [entry for _, entry in sorted(found, key=lambda one: one[0], reverse=True)[:1000]]


# --- PAM ----------------------------------------------------------------------------------------------------

PAM_REASONS_OF_PASSWORD = {
    6: "locked",  # PAM_PERM_DENIED
    7: "wrong-password",  # PAM_AUTH_ERR
    8: "wrong-password",  # PAM_CRED_INSUFFICIENT
    10: "wrong-password",  # PAM_USER_UNKNOWN: nobody is told which of the two it was
    11: "locked",  # PAM_MAXTRIES
    12: "expired-password",  # PAM_NEW_AUTHTOK_REQD
    13: "expired-account",  # PAM_ACCT_EXPIRED
}
PAM_REASONS_OF_ACCOUNT = {
    6: "not-allowed",
    7: "not-allowed",
    10: "not-allowed",
    11: "locked",
    12: "expired-password",
    13: "expired-account",
}


class Conversation:
    """Answers what PAM's modules ask: hidden questions get the answers in turn, the first the password."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.asked = 0
        self.unanswered: list[str] = []
        self.messages: list[str] = []

    def answer(self, style: int, text: str) -> str | None:
        """The answer to one message of PAM's, "" where none is wanted, None to give up."""
        if style in (3, 4):  # PAM_ERROR_MSG, PAM_TEXT_INFO
            self.messages.append(text[:512])
            return ""
        if style == 1 and self.asked < len(self.answers):  # PAM_PROMPT_ECHO_OFF
            self.asked += 1
            return self.answers[self.asked - 1]
        self.unanswered.append(text[:512])
        return None


def pam_login(service: str, person: str, address: str, talk: Conversation) -> tuple[str, int]:
    """("", 0) if PAM lets the person in, else the reason and PAM's code. See pam_start(3), pam_conv(3)."""
    import ctypes as c

    class Message(c.Structure):
        _fields_ = (("style", c.c_int), ("text", c.c_char_p))

    class Response(c.Structure):
        _fields_ = (("text", c.c_void_p), ("code", c.c_int))

    converse_type = c.CFUNCTYPE(
        c.c_int, c.c_int, c.POINTER(c.POINTER(Message)), c.POINTER(c.POINTER(Response)), c.c_void_p
    )

    class Conv(c.Structure):
        _fields_ = (("converse", converse_type), ("data", c.c_void_p))

    pam, libc = c.CDLL("libpam.so.0"), c.CDLL(None)
    libc.calloc.restype, libc.calloc.argtypes = c.c_void_p, [c.c_size_t, c.c_size_t]
    libc.strdup.restype, libc.strdup.argtypes = c.c_void_p, [c.c_char_p]
    pam.pam_start.argtypes = [c.c_char_p, c.c_char_p, c.POINTER(Conv), c.POINTER(c.c_void_p)]
    pam.pam_set_item.argtypes = [c.c_void_p, c.c_int, c.c_char_p]
    for function in (pam.pam_authenticate, pam.pam_acct_mgmt, pam.pam_end):
        function.argtypes = [c.c_void_p, c.c_int]

    @converse_type  # type: ignore[untyped-decorator, unused-ignore]
    def converse(count: int, messages: Any, responses: Any, _: Any) -> int:
        # PAM frees the answers, so they must come from the C library's own allocator.
        replies = c.cast(libc.calloc(count, c.sizeof(Response)), c.POINTER(Response))
        for place in range(count):
            message = messages[place].contents
            text = talk.answer(message.style, (message.text or b"").decode(errors="replace"))
            if text is None:
                return 19  # PAM_CONV_ERR; the few bytes stay until this process ends, right away
            replies[place].text = libc.strdup(text.encode())
        responses[0] = replies
        return 0

    conv, handle = Conv(converse, None), c.c_void_p()
    code = pam.pam_start(service.encode(), person.encode(), c.byref(conv), c.byref(handle))
    if code:
        return "unavailable", code
    pam.pam_set_item(handle, 3, b"clusterhub")  # PAM_TTY
    if address:
        pam.pam_set_item(handle, 4, address.encode())  # PAM_RHOST
    reason = ""
    code = pam.pam_authenticate(handle, 1)  # PAM_DISALLOW_NULL_AUTHTOK: nobody without a password gets in
    if code:
        reason = "more-questions" if talk.unanswered else PAM_REASONS_OF_PASSWORD.get(code, "unavailable")
    elif not talk.asked:
        reason = "unavailable"  # a service that lets root in unasked (pam_rootok) has proved nothing
    else:
        code = pam.pam_acct_mgmt(handle, 1)
        reason = PAM_REASONS_OF_ACCOUNT.get(code, "unavailable") if code else ""
    pam.pam_end(handle, code)
    return reason, code


def has_expired(person: str) -> bool:
    """Whether the shadow entry's last day has come, see getspnam(3); False where there is none to read.

    Debian's common-account answers PAM_AUTH_ERR (pam_deny) for an expired account, as for any other refusal.
    """
    import ctypes as c

    class Shadow(c.Structure):
        _fields_ = (
            ("name", c.c_char_p),
            ("password", c.c_char_p),
            *((field, c.c_long) for field in ("changed", "min", "max", "warn", "inactive", "expire")),
            ("flag", c.c_ulong),
        )

    libc = c.CDLL(None)
    libc.getspnam.restype, libc.getspnam.argtypes = c.POINTER(Shadow), [c.c_char_p]
    entry = libc.getspnam(person.encode())
    return bool(entry) and 0 <= entry.contents.expire <= time.time() // 86400


def authenticate(fields: Mapping[str, Any], configuration: Configuration, caller: Caller) -> dict[str, Any]:
    """Whether this is the person's password and they may come in now.

    PAM is asked for every name, so that neither answer nor time tells which accounts exist; rules of ours
    come after it. For system accounts it is asked with a password that cannot be right, as sshd does, so
    that nobody can guess root's here.
    """
    person = fields["person"]
    account = find_account(person)
    itself = caller.acts_as_itself(configuration)
    system = account is not None and not itself and is_system_account(account, configuration)
    if itself and (account is None or account.pw_uid != caller.uid):
        raise Refused("without root, the helper acts for its own account only", person)

    def ask_pam() -> dict[str, Any]:
        talk = Conversation([os.urandom(24).hex() if system else fields["password"]])
        reason, code = pam_login(configuration.pam_service, person, fields["address"], talk)
        if reason == "not-allowed" and has_expired(person):
            reason = "expired-account"
        return {"reason": reason, "code": code, "messages": (talk.messages + talk.unanswered)[:8]}

    answer = in_child(ask_pam, configuration.program_seconds)
    reason = answer["reason"]
    if not reason:
        if account is None:
            reason = "unknown-account"
        elif system:
            reason = "system-account"
        elif configuration.only_person not in (None, person) or not is_allowed(account, configuration):
            reason = "not-allowed"
    code = "wrong-password" if reason == "wrong-password" else f"pam-{answer['code']}"
    return {"ok": not reason, "reason": reason, "code": code, "messages": answer["messages"]}


# --- The verbs ----------------------------------------------------------------------------------------------


def carry_out(
    verb: str, fields: dict[str, Any], configuration: Configuration, caller: Caller
) -> dict[str, Any]:
    """Do what a checked request asks, and return the reply."""
    if verb == "authenticate":
        return authenticate(fields, configuration, caller)
    account = permitted_account(fields["person"], configuration, caller)
    actor = Actor(account, configuration, caller.root and not caller.acts_as_itself(configuration))
    # Somebody who was taken off the list can start nothing, but what they have can be looked at and ended.
    if verb == "submit" and not is_allowed(account, configuration):
        raise Refused("this account is not allowed to have sessions", account.pw_name, "ask the operators")
    if verb == "submit":
        return _submit(fields, actor, caller)
    if verb in ("cancel", "signal"):
        return actor.run(fields["argv"])
    if verb == "account":
        return _describe(actor)
    name = fields.get("name", "")
    work: dict[str, Callable[[int], Any]] = {
        "read-log": lambda directory: tail(directory, name, fields["bytes"]),
        "list-logs": lambda directory: {"logs": list_files(directory)},
        "remove-ticket": lambda directory: remove_file(directory, name),
    }
    nothing: dict[str, dict[str, Any]] = {
        "read-log": {"text": "", "missing": True},
        "list-logs": {"logs": []},
        "remove-ticket": {},
    }
    try:
        return in_person_directory(actor, caller, work[verb]) or {}
    except Refused as error:
        if error.kind != "missing":
            raise
        return nothing[verb]


def _submit(fields: dict[str, Any], actor: Actor, caller: Caller) -> dict[str, Any]:
    ensure_person_directory(actor, caller)
    ticket = fields["ticket"]
    if ticket:
        in_person_directory(
            actor, caller, lambda directory: write_ticket(directory, ticket["name"], ticket["text"])
        )
    return actor.run(fields["argv"], fields["stdin"])


def _describe(actor: Actor) -> dict[str, Any]:
    account = actor.account
    return {
        "name": account.pw_name,
        "uid": account.pw_uid,
        "gid": account.pw_gid,
        "home": account.pw_dir,
        "shell": account.pw_shell,
        "groups": groups_of(account),
        # As the person: on a file system that root may not enter, root sees no home.
        "home_exists": actor.call(lambda: os.path.isdir(account.pw_dir)),
        "shell_allowed": is_shell_allowed(account.pw_shell),
        "allowed": is_allowed(account, actor.configuration),
    }


# --- Audit and main -----------------------------------------------------------------------------------------


class Audit:
    """One line for each call, to the system's log and, where configured, to a file. Never a secret."""

    def __init__(self, path: str | None, caller: Caller) -> None:
        self.caller = caller
        self.descriptor: int | None = None
        if path is None:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            self.descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise Refused(
                f"the audit log cannot be opened: {error.strerror}", path, "make its directory"
            ) from None
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != caller.uid or status.st_mode & 0o027:
            raise Refused("the audit log could be read or written by others", path, "chmod 0600 it")

    def write(self, verb: str, fields: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """Record what was asked and what came of it."""
        outcome = "done"
        if "error" in reply:
            outcome = f"{reply['error']['kind']}: {reply['error']['what']}"
        elif verb == "authenticate":
            outcome = "accepted" if reply["ok"] else reply["reason"]
        elif "exit_code" in reply:
            outcome = reply["problem"] or f"exit code {reply['exit_code']}"
        seen = {key: fields[key] for key in ("argv", "name", "address") if fields.get(key)}
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "verb": verb,
            "person": fields.get("person", "?"),
            "caller": self.caller.name,
            **seen,
            "outcome": outcome,
        }
        text = json.dumps(line)
        if self.caller.root:
            syslog.openlog("clusterhub-helper", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
            syslog.syslog(syslog.LOG_NOTICE, text)
        if self.descriptor is not None:
            os.write(self.descriptor, text.encode() + b"\n")


def _caller() -> Caller:
    if os.getuid() != os.geteuid() or os.getgid() != os.getegid():
        raise Refused("the helper must not be installed setuid or setgid", next_step="chmod it 0755")
    through_sudo = "SUDO_UID" in os.environ
    name = os.environ.get("SUDO_USER") or f"uid {os.getuid()}"
    return Caller(os.getuid(), os.getuid() == 0, through_sudo, name[:64])


def _configuration(arguments: list[str], caller: Caller) -> Configuration:
    if not arguments:
        return read_configuration(CONFIGURATION, (0,))
    if len(arguments) == 2 and arguments[0] == "--configuration" and not caller.through_sudo:  # noqa: PLR2004 - an option and its value
        return read_configuration(arguments[1], (0, caller.uid))
    raise Refused("the helper takes no arguments", next_step="it reads its request from standard input")


def answer(arguments: list[str]) -> dict[str, Any]:
    """Read a request, carry it out, record it, and return the reply."""
    caller = _caller()
    configuration = _configuration(arguments, caller)
    # Whatever hangs below, nothing that root started stays: the hub could not end it.
    signal.alarm(3 * configuration.program_seconds + 30)
    os.environ.clear()
    os.environ["PATH"] = SAFE_PATH
    audit = Audit(configuration.audit_log, caller)
    verb = "?"
    fields: dict[str, Any] = {}
    try:
        verb, fields = parse_request(sys.stdin.buffer.read(REQUEST_BYTES + 1), configuration)
        reply = carry_out(verb, fields, configuration, caller)
    except Refused as error:
        reply = error.reply()
    except Exception as error:
        reply = Refused(
            f"internal error ({type(error).__name__})", verb, "see the audit log", "internal"
        ).reply()
    audit.write(verb, fields, reply)
    return reply


def main() -> int:
    """Answer one request; exit code 0 whenever there was an answer."""
    # PAM's modules and whatever else may print must not get into the reply.
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        reply = answer(sys.argv[1:])
    except Refused as error:
        reply = error.reply()
    except Exception as error:
        reply = Refused(
            f"internal error ({type(error).__name__})", next_step="tell us", kind="internal"
        ).reply()
    try:
        with os.fdopen(output, "wb") as file:
            file.write(json.dumps(reply).encode() + b"\n")
    except OSError:
        return 70
    return 0


if __name__ == "__main__":
    sys.exit(main())
