"""Requests by the hundred thousand, and not one forbidden effect.

In process, for the bulk: the helper's code decides, the machine around it is a fake (see `fuzz_world`). Some
hundreds go through the helper's own process as root, in `test_helper_fuzz_process`. ``CLUSTERHUB_FUZZ_CALLS``
asks for more of each seed, ``CLUSTERHUB_FUZZ_SEED`` for other ones.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.abuse.forbidden import forbidden, let_in
from tests.abuse.fuzz_requests import Requests
from tests.abuse.fuzz_world import AS_ALICE, AS_ROOT, CONFIGURATION, Machine

from clusterhub.privileged.helper import accounts, checks, files, person, requests
from clusterhub.privileged.helper.accounts import Caller
from clusterhub.privileged.helper.configuration import Configuration
from clusterhub.privileged.helper.options import PROGRAMS
from clusterhub.privileged.helper.refusal import Refused

CALLS = int(os.environ.get("CLUSTERHUB_FUZZ_CALLS", "50000"))
SEED = int(os.environ.get("CLUSTERHUB_FUZZ_SEED", "1"))
VERBS = set(requests.VERBS)


class Forbidden(Exception):
    """What the helper did, and for which request."""


def send(machine: Machine, text: bytes) -> str:
    """What came of it: the verb that was carried out, "refused", or `Forbidden`."""
    machine.reset()
    reply: dict[str, Any] = {}
    try:
        verb, fields = requests.parse_request(text, CONFIGURATION)
        reply = machine.call(verb, fields)
    except Refused:
        verb = "refused"
    document = json.loads(text) if machine.world.effects else None
    found = list(forbidden(document, machine.world.effects, machine.world.caller))
    found += let_in(document, reply) if reply else []
    if found:
        raise Forbidden(f"{found}\nfor {text!r}")
    return verb


def send_many(monkeypatch: pytest.MonkeyPatch, seed: int) -> Counter[str]:
    """How often each thing came of it, for a helper with root and for one without."""
    outcomes = Counter[str]()
    made = Requests(seed)
    for caller, calls in ((AS_ROOT, CALLS), (AS_ALICE, CALLS // 10)):
        machine = Machine(monkeypatch, caller)
        outcomes.update(send(machine, made.text()) for _ in range(calls))
    return outcomes


@pytest.mark.parametrize("seed", range(SEED, SEED + 4))
def test_no_request_has_a_forbidden_effect(
    seed: int, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    outcomes = send_many(monkeypatch, seed)
    record_property("calls", outcomes.total())
    print(f"seed {seed}: {outcomes.total()} calls, {dict(outcomes)}")
    # A run in which everything is refused, or nothing, would show little.
    assert set(outcomes) == VERBS | {"refused"}
    assert min(outcomes.values()) > CALLS / 200
    assert outcomes["refused"] > CALLS / 5


Plant = Callable[[pytest.MonkeyPatch], None]


def hole(name: str, plant: Plant) -> Any:
    return pytest.param(plant, id=name)


def _with_pattern(pattern_name: str, pattern: str) -> Plant:
    """One of the patterns of names is another one, in every module that has it."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (checks, requests, files):
            if hasattr(module, pattern_name):
                monkeypatch.setattr(module, pattern_name, re.compile(pattern))

    return plant


def _with_option(program: str, verb: str, option: str, value: str | None) -> Plant:
    return lambda monkeypatch: monkeypatch.setitem(PROGRAMS[program][verb], option, value)


def _only_the_options_of_a_submission(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(argv: list[str], _person: str, configuration: Configuration, verb: str = "submit") -> list[str]:
        checks._options(argv, verb, configuration)
        return argv

    monkeypatch.setattr(requests, "check_submission", check)


def _an_option_may_come_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    check = checks._options

    def forgetful(argv: list[str], verb: str, configuration: Configuration) -> dict[str, str]:
        return check(list({word.partition("=")[0]: word for word in argv}.values()), verb, configuration)

    monkeypatch.setattr(checks, "_options", forgetful)


def _any_text(value: Any) -> list[str]:
    words = [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
    return words or [""]


def _any_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    find = accounts.find_account
    monkeypatch.setattr(accounts, "find_account", lambda name: find(name) or find(name.lower()))


HOLES = [
    hole(
        "no person is a system account",
        lambda mp: mp.setattr(accounts, "is_system_account", lambda *_: False),
    ),
    hole("a name in another spelling is the same account", _any_spelling),
    hole(
        "root touches the files itself", lambda mp: mp.setattr(person.Actor, "call", lambda _, work: work())
    ),
    hole("everybody is on the list", lambda mp: mp.setattr(accounts, "is_allowed", lambda *_: True)),
    hole(
        "without root, others are served too",
        lambda mp: mp.setattr(Caller, "acts_as_itself", lambda *_: False),
    ),
    hole("sbatch takes --uid", _with_option("sbatch", "submit", "--uid", "[0-9]+")),
    hole("an estimate may submit", lambda mp: mp.setattr(checks, "NOTHING_DONE", "--output")),
    hole("sbatch takes --wrap", _with_option("sbatch", "submit", "--wrap", ".*")),
    hole("sbatch takes any --export", _with_option("sbatch", "submit", "--export", ".*")),
    hole("sbatch takes any name of a job", _with_option("sbatch", "submit", "--job-name", ".*")),
    hole("scancel takes --me", _with_option("scancel", "cancel", "--me", None)),
    hole("scancel sends any signal", _with_option("scancel", "signal", "--signal", "[A-Z0-9]+")),
    hole("a job is anything", _with_pattern("JOB", ".*")),
    hole("a log is anything", _with_pattern("LOG_NAME", ".*")),
    hole("a log lies in any directory", _with_pattern("LOG_NAME", r"[A-Za-z0-9_./-]+\.log")),
    hole(
        "an environment is anywhere",
        _with_pattern("_ABSOLUTE", r"(?s).*"),
    ),
    hole("a ticket is anything", _with_pattern("TICKET_NAME", ".*")),
    hole("an output is any file", _with_pattern("OUTPUT_NAME", ".*")),
    hole("scripts may carry options", _with_pattern("_SCRIPT_DIRECTIVE", r"(?!)")),
    hole("the tag and the log are not looked at", _only_the_options_of_a_submission),
    hole("an option may come twice", _an_option_may_come_twice),
    hole("words may have any characters", lambda mp: mp.setattr(requests, "check_words", _any_text)),
]


@pytest.mark.parametrize("plant", HOLES)
def test_a_planted_hole_is_seen(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one check taken out of the helper at a time, the same predicates find what comes through."""
    plant(monkeypatch)
    with pytest.raises(Forbidden):
        sum((send_many(monkeypatch, seed) for seed in range(SEED, SEED + 4)), Counter())
