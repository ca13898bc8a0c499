"""What the helper must never do, whatever it is asked: predicates on effects that know nothing of its code.

They are written from the outside, from what sbatch(1), scancel(1) and the kernel would make of an effect, and
share neither tables nor patterns with the helper. Each yields a sentence for each thing that it sees.
"""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.abuse.fuzz_requests import ENGINE, SESSIONS
from tests.abuse.fuzz_world import (
    BASES,
    EXTRA_ENVIRONMENT,
    NOT_ON_THE_LIST,
    SYSTEM_UIDS,
    UIDS,
    Account,
    Asked,
    Effect,
    Ran,
    Touched,
)
from tests.unit.privileged.options_of_sbatch import DIRECTIVE

ASCII_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
HARMLESS = ASCII_WORD | frozenset(".@+-,:=/")
"""Nothing of this is read by a shell, by printf-like patterns of sbatch, or by a terminal."""

OPTIONS_OF_SBATCH = {
    *[
        "job-name",
        "comment",
        "chdir",
        "output",
        "time",
        "partition",
        "account",
        "qos",
        "reservation",
        "constraint",
        "nodes",
        "ntasks",
    ],
    *[
        "ntasks-per-node",
        "cpus-per-task",
        "mem",
        "mem-per-cpu",
        "gpus",
        "gpus-per-node",
        "gres",
        "nice",
        "open-mode",
        "export",
    ],
    *("propagate", "signal"),
}
FLAGS_OF_SBATCH = {"parsable", "no-requeue", "requeue"}
OPTIONS_OF_THE_ENGINE = {
    "directory",
    "name",
    "tag",
    "cpus",
    "memory",
    "time",
    "output",
    "chdir",
    "capacity-cpus",
    "capacity-memory",
}
WHOLE_VALUES = {
    "export": {"ALL", "NIL", "NONE"},
    "propagate": {"NONE"},
    "open-mode": {"append", "truncate"},
}
SIGNALS = {"CONT", "HUP", "INT", "KILL", "STOP", "TERM", "USR1", "USR2"}
VERBS_THAT_RUN = {"submit", "estimate", "cancel", "signal"}
LONGEST_REQUEST = 1 << 20


def forbidden(document: Any, effects: Sequence[Effect], caller: Account) -> Iterator[str]:
    """What of these effects must not follow from that request. A request without effects may be anything."""
    if not effects:
        return
    if not isinstance(document, Mapping) or not isinstance(document.get("person"), str):
        yield "something was done for what is no request"
        return
    person = document["person"]
    for effect in effects:
        if isinstance(effect, Asked):
            yield from _asked(effect, document)
            continue
        yield from _account(effect, person, caller)
        if isinstance(effect, Ran):
            yield from _ran(effect, document, person)
        else:
            yield from _touched(effect, document, person, caller)


def _account(effect: Ran | Touched, person: str, caller: Account) -> Iterator[str]:
    """Nothing runs, and hardly anything is touched, but with that person's own credentials."""
    account = effect.account
    if isinstance(effect, Touched) and account == caller and caller.uid == 0:
        return  # what root itself may touch is looked at in _touched
    if account.uid != UIDS.get(person) or account.gid != UIDS.get(person) or account.name != person:
        yield f"it was done as {account}, not as {person!r}"
    if account.uid < 1000 or account.uid >= 65534:
        yield f"it was done as a system account: {account}"
    if caller.uid not in (0, account.uid):
        yield f"a helper without root acted as {account}"


def _ran(effect: Ran, document: Mapping[str, Any], person: str) -> Iterator[str]:
    verb = document.get("verb")
    program = next((name for name, base in BASES.items() if effect.command[: len(base)] == tuple(base)), None)
    if program is None or verb not in VERBS_THAT_RUN:
        yield f"{effect.command[:1]} was started for the verb {verb!r}"
        return
    if verb in ("submit", "estimate") and person == NOT_ON_THE_LIST:
        yield "somebody who is not on the list submitted"
    yield from _environment(effect, person, {"SLURM_TIME_FORMAT": "%s"} if verb == "estimate" else {})
    words = effect.command[len(BASES[program]) :]
    for word in words:
        if not word.isprintable():
            yield f"the word {word!r} has characters that a terminal would act on"
    if verb == "submit":
        yield from _submitted(program, words, person)
        yield from _script(effect.stdin)
    elif verb == "estimate":
        yield from _estimated(program, words, person)
        if effect.stdin != "#!/bin/sh\n":
            yield "an estimate was given a script"
    else:
        if effect.stdin:
            yield "something other than a submission was given a script"
        yield from _ended(program, words, str(verb))


def _environment(effect: Ran, person: str, more: Mapping[str, str]) -> Iterator[str]:
    wanted = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": f"/home/{person}",
        "USER": person,
        "LOGNAME": person,
        "SHELL": "/bin/bash",
        **EXTRA_ENVIRONMENT,
        **more,
    }
    if effect.environment != wanted:
        yield f"the environment is {effect.environment}"


def _estimated(program: str, words: Sequence[str], person: str) -> Iterator[str]:
    """What of a submission's words submits nothing."""
    if program == "sbatch" and "--test-only" not in words:
        yield "an estimate submitted a job"
    if program == "local-engine":
        if words[:1] != ("estimate",):
            yield f"the engine was told to {words[:1]}"
        words = ("submit", *words[1:])
    yield from _submitted(program, tuple(word for word in words if word != "--test-only"), person)


def _submitted(program: str, words: Sequence[str], person: str) -> Iterator[str]:
    if program == "scancel":
        yield "scancel was asked to submit"
        return
    engine = program == "local-engine"
    if engine:
        if words[:1] != ("submit",):
            yield f"the engine was told to {words[:1]}"
        words = words[1:]
    seen: dict[str, str] = {}
    for word in words:
        if word == DIRECTIVE:
            continue  # the operator's own
        name, equals, value = word.removeprefix("--").partition("=")
        # The first word that is no option would be the script, "-x" a short option with a value of its own.
        if not word.startswith("--") or not name:
            yield f"{word!r} is no long option"
        flags = set() if engine else FLAGS_OF_SBATCH
        if name not in (OPTIONS_OF_THE_ENGINE if engine else OPTIONS_OF_SBATCH) | flags:
            yield f"the option {name!r} is not one that a hub needs"
        if bool(equals) == (name in flags):
            yield f"{word!r} takes the next word as its value, or has one that it does not take"
        if name in seen:
            yield f"the option {name!r} is given twice: the second would count"
        seen[name] = value
        yield from _value(name, value)
    yield from _whose(seen, person)


def whose_submission(argv: Sequence[str], person: str) -> Iterator[str]:
    """What is forbidden in a command line that the hub made, before any helper has seen it."""
    if argv[:1] not in (("sbatch",), ["sbatch"]):
        yield f"{argv[:1]} is no sbatch"
    yield from _submitted("sbatch", argv[1:], person)


def _value(name: str, value: str) -> Iterator[str]:
    if name in WHOLE_VALUES and value not in WHOLE_VALUES[name]:
        yield f"--{name}={value} carries more than it may"
    if name == "directory" and value != ENGINE:
        yield f"the engine was sent to {value}"
    if name == "chdir" and not value.startswith("/"):
        yield f"--chdir={value} is not absolute"
    if name == "signal" and value.partition("@")[0].rpartition(":")[2].strip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    ):
        yield f"--signal={value} is no signal"
    # chdir goes to chdir(2) alone; constraint has Slurm's own operators; output is looked at as a whole.
    rules = {"chdir": None, "output": None, "constraint": HARMLESS | frozenset("[]()&|*!")}
    allowed = rules.get(name, HARMLESS)
    if allowed is not None and not set(value) <= allowed:
        yield f"--{name}={value!r} has characters that something could read as more than text"
    if name in ("job-name", "name", "account", "qos", "partition") and value.startswith("-"):
        yield f"--{name}={value} could be read as an option"


def _whose(options: Mapping[str, str], person: str) -> Iterator[str]:
    """The job carries our tag of that person, once, and its log is theirs."""
    tags = [options[name] for name in ("comment", "tag") if name in options]
    parts = tags[0].split(":") if len(tags) == 1 else []
    if len(parts) != 4 or parts[0] != "clusterhub" or not parts[1] or parts[2] != person:
        yield f"the job's tag is {tags}"
    output = options.get("output", "")
    directory, _, name = output.rpartition("/")
    if directory != f"{SESSIONS}/{person}" or posixpath.normpath(output) != output:
        yield f"the job's log is {output!r}"
    # sbatch replaces % patterns; %j, the job's number, is the only one that cannot lead elsewhere.
    plain = name.replace("%j", "").replace("{job}", "")
    if not name.endswith(".log") or name.startswith(("-", ".")) or not set(plain) <= HARMLESS - {"/", "="}:
        yield f"the job's log is named {name!r}"


def _script(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        if line.startswith(("#SBATCH", "#PBS", "#BSUB")):
            yield f"sbatch would read options from the script: {line!r}"
    if "\0" in text or len(text) > LONGEST_REQUEST:
        yield "the script is no text"


def _ended(program: str, words: Sequence[str], verb: str) -> Iterator[str]:
    if program == "sbatch":
        yield "sbatch was asked to end something"
        return
    if program == "local-engine":
        if words[:1] != ("cancel",) or verb != "cancel":
            yield f"the engine was told to {words[:1]}"
        words = words[1:]
    *options, job = words or ("",)
    if not (job.isascii() and job.isdigit()) or job.startswith("0") or len(job) > 10:
        yield f"{job!r} is not one job"
    signals = [option for option in options if option.startswith("--signal=")]
    permitted = {f"--directory={ENGINE}"} if program == "local-engine" else {"--full", "--quiet"}
    for option in options:
        if option in signals and verb == "signal" and option.removeprefix("--signal=") in SIGNALS:
            continue
        if option not in permitted:
            yield f"a {verb} has the option {option!r}"
    if len(set(options)) != len(options):
        yield f"a {verb} repeats an option"


def _touched(effect: Touched, document: Mapping[str, Any], person: str, caller: Account) -> Iterator[str]:
    path, how = effect.path, effect.how
    own = f"{SESSIONS}/{person}"
    if how == "see names in":
        yield from _seen(effect, document, caller)
        return
    if posixpath.normpath(path) != path or "\0" in path or "\n" in path:
        yield f"{how} {path!r}"
    if effect.account == caller and caller.uid == 0:
        # Root itself makes and opens the two directories, and gives the person theirs; it reads no file.
        if path not in (SESSIONS, own) or how not in (
            "look into",
            "make directory",
            f"give to {UIDS.get(person)}",
        ):
            yield f"root would {how} {path!r}"
        return
    if path in (SESSIONS, own):
        if how not in ("look into", "make directory", "list", "chmod 700"):
            yield f"{how} {path!r}"
        return
    directory, _, name = path.rpartition("/")
    if directory != own:
        yield f"{how} {path!r}, which is not {person}'s"
    kind = {"submit": ".ticket", "remove-ticket": ".ticket"}.get(str(document.get("verb")), ".log")
    if not name.endswith(kind) or name.startswith((".", "-")) or not set(name) <= HARMLESS - {"/", "="}:
        yield f"{how} {path!r} for {document.get('verb')}"
    permitted = {
        "submit": {"make", "write", "remove", "chmod 600"},
        "remove-ticket": {"remove"},
        "read-log": {"read"},
        "list-logs": {"look at"},
    }
    if how not in permitted.get(str(document.get("verb")), set()):
        yield f"{how} {path!r} for {document.get('verb')}"


def _seen(effect: Touched, document: Mapping[str, Any], caller: Account) -> Iterator[str]:
    """Names of files are seen where the request says, and with the person's rights."""
    if document.get("verb") != "look-at-environment" or effect.path != document.get("path"):
        yield f"{effect.how} {effect.path!r} for {document.get('verb')}"
    if effect.account == caller and caller.uid == 0:
        yield f"root would {effect.how} {effect.path!r}"
    if not effect.path.startswith("/") or not effect.path.isprintable():
        yield f"{effect.how} {effect.path!r}"


def _asked(effect: Asked, document: Mapping[str, Any]) -> Iterator[str]:
    if document.get("verb") != "authenticate" or effect.service != "login":
        yield f"PAM was asked by {effect.service} for {document.get('verb')}"
    if effect.person != document["person"] or set(effect.person) - HARMLESS or effect.person[0] in "-./":
        yield f"PAM was asked about {effect.person!r}"
    # Names that nobody has are asked about as well, so that the time of the answer tells nothing.
    same_password = effect.password == document.get("password")
    if effect.person in SYSTEM_UIDS and effect.account.uid == 0 and same_password:
        yield f"somebody may guess the password of {effect.person}"
    if effect.person in UIDS and not same_password:
        yield "PAM was asked with another password"
    if effect.address:
        try:
            ipaddress.ip_address(effect.address)
        except ValueError:
            yield f"the address is {effect.address!r}"


def let_in(document: Any, reply: Mapping[str, Any]) -> Iterator[str]:
    """PAM says yes to everything here: who is let in all the same must be on the list."""
    if reply.get("ok") and (document["person"] not in UIDS or document["person"] == NOT_ON_THE_LIST):
        yield f"{document['person']!r} was let in"
