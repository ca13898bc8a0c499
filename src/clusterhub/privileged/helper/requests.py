"""The verbs, and what a request for each of them must look like."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from clusterhub.privileged.helper.checks import (
    LOG_NAME,
    PERSON,
    REQUEST_ID,
    TICKET_NAME,
    check_cancellation,
    check_submission,
    check_text,
    check_words,
)
from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.refusal import Refused

REQUEST_BYTES = 1 << 20
LOG_BYTES = 256 << 10
MOST_ANSWERS = 4

# Lines of a script that a scheduler reads as further options.
_SCRIPT_DIRECTIVE = re.compile(r"^#(?:SBATCH|PBS|BSUB)", re.MULTILINE)

_ABSOLUTE = re.compile(r"/.*")

Request = Mapping[str, Any]
Fields = dict[str, Any]


def _submit(request: Request, configuration: Configuration) -> Fields:
    script = check_text(request["stdin"], "stdin", REQUEST_BYTES)
    if _SCRIPT_DIRECTIVE.search(script):
        what = "the job script has lines that the scheduler would read as options"
        raise Refused(what, "stdin", "give them as directives of the cluster or profile")
    ticket = request.get("ticket")
    if ticket is not None:
        if not isinstance(ticket, dict) or set(ticket) != {"name", "text"}:
            raise Refused("a ticket has a name and a text, nothing else", "ticket")
        check_text(ticket["name"], "ticket.name", 160, TICKET_NAME)
        check_text(ticket["text"], "ticket.text", 4096)
    argv = check_submission(check_words(request["argv"]), request["person"], configuration)
    return {"argv": argv, "stdin": script, "ticket": ticket}


def _estimate(request: Request, configuration: Configuration) -> Fields:
    words = check_words(request["argv"])
    return {"argv": check_submission(words, request["person"], configuration, "estimate")}


def _cancel(request: Request, configuration: Configuration) -> Fields:
    return {"argv": check_cancellation(check_words(request["argv"]), configuration)}


def _signal(request: Request, configuration: Configuration) -> Fields:
    signal = f"--signal={check_text(request['signal'], 'signal', 16)}"
    argv = check_words([request["program"], "--full", signal, request["job"]])
    return {"argv": check_cancellation(argv, configuration, "signal")}


def _read_log(request: Request, _: Configuration) -> Fields:
    count = request.get("bytes", LOG_BYTES)
    if type(count) is not int or not 1 <= count <= LOG_BYTES:
        raise Refused(f"a whole number from 1 to {LOG_BYTES} was expected", "bytes")
    return {"name": check_text(request["name"], "name", 160, LOG_NAME), "bytes": count}


def _remove_ticket(request: Request, _: Configuration) -> Fields:
    return {"name": check_text(request["name"], "name", 160, TICKET_NAME)}


def _look_at_environment(request: Request, configuration: Configuration) -> Fields:
    # The one path that a caller may give: it is followed with the person's rights, and nothing of it is run.
    if not configuration.own_environments:
        raise Refused("no profile lets people bring an environment", "verb", "run clusterhub setup anew")
    path = check_text(request["path"], "path", 4096, _ABSOLUTE)
    if not path.isprintable():
        raise Refused("the path has characters that cannot be printed", "path")
    return {"path": path}


def _authenticate(request: Request, _: Configuration) -> Fields:
    # 511 bytes and a NUL are the longest answer that PAM takes (PAM_MAX_RESP_SIZE).
    password = check_text(request["password"], "password", 511)
    answers = request.get("answers", [])
    if not isinstance(answers, list) or len(answers) > MOST_ANSWERS:
        raise Refused(f"a list of at most {MOST_ANSWERS} texts was expected", "answers")
    answers = [check_text(answer, f"answers[{place}]", 511) for place, answer in enumerate(answers)]
    return {"password": password, "answers": answers, "address": _address(request.get("address"))}


def _address(value: object) -> str:
    if value is None or value == "":
        return ""
    import ipaddress  # a millisecond that only a login pays

    try:
        return str(ipaddress.ip_address(check_text(value, "address", 64)))
    except ValueError:
        raise Refused("not an IP address", "address") from None


VERBS: dict[str, tuple[set[str], set[str], Callable[[Request, Configuration], Fields]]] = {
    "submit": ({"argv", "stdin"}, {"ticket"}, _submit),
    "estimate": ({"argv"}, set(), _estimate),
    "cancel": ({"argv"}, set(), _cancel),
    "signal": ({"program", "job", "signal"}, set(), _signal),
    "read-log": ({"name"}, {"bytes"}, _read_log),
    "list-logs": (set(), set(), lambda *_: {}),
    "remove-ticket": ({"name"}, set(), _remove_ticket),
    "look-at-environment": ({"path"}, set(), _look_at_environment),
    "authenticate": ({"password"}, {"address", "answers"}, _authenticate),
    "account": (set(), set(), lambda *_: {}),
    "disabled": (set(), set(), lambda *_: {}),
}
"""Each verb's keys besides "verb", "person", "until" and "request": needed, possible; and their checks."""


def check_request(document: object, configuration: Configuration) -> tuple[str, Fields]:
    """The verb and its checked fields; `Refused` for anything that is not exactly one of the verbs."""
    if not isinstance(document, dict) or not isinstance(document.get("verb"), str):
        raise Refused("a request is a JSON object with a verb")
    verb = document["verb"]
    if verb not in VERBS:
        raise Refused("there is no such verb", "verb")
    needed, possible, check = VERBS[verb]
    needed = needed | {"verb", "person"}
    if not needed <= set(document) <= needed | possible | {"until", "request"}:
        raise Refused("keys are missing, or there are unknown ones", verb)
    person = check_text(document["person"], "person", 64, PERSON)
    request = check_text(document.get("request", ""), "request", 16, REQUEST_ID)
    checked = check(document, configuration)
    return verb, {"person": person, "request": request, **_until(document), **checked}


def _until(request: Request) -> Fields:
    """When whoever asks gives it up, in seconds of this machine's monotonic clock; it can only shorten."""
    if "until" not in request:
        return {}
    value = request["until"]
    if type(value) is not float or not math.isfinite(value):
        raise Refused("a number of seconds was expected", "until")
    return {"until": value}


def parse_request(text: bytes, configuration: Configuration) -> tuple[str, Fields]:
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
