"""What people, links and API clients choose, made hostile: refused in words, or within the rules.

The rules are written out here, not asked from the profile. What is let through is followed to where it would
do harm: the command line and the script that a scheduler gets.
"""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.abuse.forbidden import whose_submission
from tests.abuse.fuzz_outcomes import assert_in_words, report
from tests.abuse.fuzz_requests import SESSIONS
from tests.abuse.hostile import FRAGMENTS, hostile_inside, hostile_text, hostile_value
from tests.unit.privileged.options_of_sbatch import DIRECTIVE
from tests.unit.spawner.people import ALICE

from clusterhub.hub.form import choice_from_form, render_form
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.site.loading import parse
from clusterhub.site.profile import CHOOSABLE
from clusterhub.site.ranges import Range
from clusterhub.site.schema import Site
from clusterhub.spawner import options
from clusterhub.spawner.job_request import job_request
from clusterhub.spawner.options import KEYS, Choice, ChoiceRefused, parse_choice, terms_for
from clusterhub.spawner.tags import Tag

CALLS = int(os.environ.get("CLUSTERHUB_FUZZ_CALLS", "50000"))
SEED = int(os.environ.get("CLUSTERHUB_FUZZ_SEED", "1"))

SITE = parse(
    f"""
[hub]
url = "https://hub.example.org"
internal_url = "https://gateway:8081"

[cluster.main]
scheduler = "slurm"
directives = ["{DIRECTIVE}"]

[environment]
path = "/shared/environments/current"

[sessions]
directory = "{SESSIONS}"

[[profile]]
name = "small"
title = "Small"
partition = "interactive"
cpus = {{ default = 1, max = 8 }}
memory = {{ default = "4 GiB", max = "32 GiB" }}
time = {{ default = "4h", max = "1d" }}
interface = "lab"

[[profile]]
name = "gpu"
title = "GPU"
partition = "gpu"
gpus = {{ default = 1, max = 2, type = "h200" }}
nodes = {{ default = 1, max = 4 }}
time = "2h"
interface = ["lab", "notebook"]
choose = ["account", "variables"]

[[profile]]
name = "secret"
title = "Not for everybody"
partition = "secret"
time = "1h"
allow = ["@few"]
""",
    Path("/etc/clusterhub/site.toml"),
)
RULES: dict[str, dict[str, tuple[int, int]]] = {
    "small": {"cpus": (1, 8), "memory": (2**30, 32 * 2**30), "time": (60, 86400), "nodes": (1, 1)},
    "gpu": {"cpus": (1, 1), "gpus": (1, 2), "nodes": (1, 4), "time": (7200, 7200)},
}
"""Profile, amount, least and most; what is not here cannot be chosen. "secret" is for others."""
ALLOWED = {
    "small": {"account", "qos", "reservation", "constraint", "working_directory", "variables"},
    "gpu": {"account", "variables"},
}
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
FORMS = {
    **dict.fromkeys(
        ("account", "qos", "partition", "reservation", "gpu_type"),
        re.compile(rf"{NAME.pattern}(,{NAME.pattern})*"),
    ),
    "constraint": re.compile(r"[A-Za-z0-9_.,:&|*()\[\]-]+"),
    "working_directory": re.compile(r"(/|~)((?!/\.\.(/|$)).)*"),
    "variables": re.compile(r"([A-Za-z_][A-Za-z0-9_]*=.*(\n|$))*"),
}
INTERFACES = {"small": {"lab"}, "gpu": {"lab", "notebook"}}
TAG = Tag("hub.example.org", "alice", "big")

GOOD_CHOICES: tuple[dict[str, Any], ...] = (
    *({}, {"profile": "small"}, {"profile": "gpu"}, {"profile": "gpu", "interface": "notebook", "gpus": "2"}),
    {"profile": "small", "cpus": 4, "memory": 8 * 2**30, "time": 7200},
    {"profile": "small", "cpus": "4", "memory": "8 GiB", "time": "1h30min"},
    {"profile": ["small"], "cpus": ["4"], "memory": ["8G"], "time": ["02:00:00"], "interface": ["lab"]},
    {"profile": "gpu", "nodes": 4, "time": "1-00:00:00"},
    {"account": "physics", "qos": "long", "reservation": "course", "constraint": "avx512&rack1"},
    {"working_directory": "~/work", "variables": {"A": "1", "B": "two words"}},
    {"profile": "gpu", "account": ["physics"], "variables": "A=1\nB=2"},
)


class Hostile:
    """An endless supply, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - the same inputs for the same seed

    def choice(self) -> Any:
        random = self.random
        choice: Any = dict(random.choice(GOOD_CHOICES))
        for _ in range(random.randrange(4)):
            if not isinstance(choice, dict):
                return choice
            key = random.choice((*KEYS, *KEYS, hostile_text(random, random.choice(KEYS)), "uid", "nice"))
            match random.randrange(5):
                case 0:
                    choice = hostile_inside(random, choice)
                case 1:
                    choice[key] = hostile_value(random)
                case 2:
                    choice[key] = random.choice(FRAGMENTS)
                case 3:
                    choice[key] = random.choice((random.randrange(-2, 10), 2**70, 10**5000, "secret", "lab"))
                case _:
                    choice[key] = [choice.get(key, "2"), *([hostile_value(random)] * random.randrange(2))]
        return choice

    def form(self) -> dict[str, list[Any]]:
        """As JupyterHub makes one of any request: lists of texts, and of uploaded files."""
        random = self.random
        profile = random.choice(("small", "gpu", "secret", hostile_text(random, "small"), ""))
        form: dict[str, list[Any]] = {"profile": [profile], "_xsrf": ["x"]}
        if random.random() < 0.1:
            form[f"{random.choice(KEYS)}_file"] = [{"filename": "x", "body": b"x", "content_type": "x"}]
        if random.random() < 0.1:
            form["profile"] = [random.choice(("small", "gpu")) for _ in range(random.randrange(4))]
        for _ in range(random.randrange(5)):
            owner = random.choice((profile, "small", "gpu", hostile_text(random, "gpu")))
            key = f"{owner}:{random.choice((*KEYS, 'x'))}" if random.random() < 0.8 else random.choice(KEYS)
            form[key] = [random.choice(("1", "4 GiB", *FRAGMENTS)) for _ in range(random.randrange(3))]
        return form


def assert_known(field: str) -> None:
    assert field in ("", *KEYS)


def assert_within_the_rules(choice: Choice) -> None:
    assert choice.profile in RULES
    limits = RULES[choice.profile]
    assert choice.interface in INTERFACES[choice.profile]
    for key in CHOOSABLE:
        value = getattr(choice, key)
        assert value is None or (key in ALLOWED[choice.profile] and FORMS[key].fullmatch(value)), (key, value)
    names = {line.partition("=")[0] for line in (choice.variables or "").splitlines()}
    assert not [name for name in names if name.startswith(("PATH", "LD_", "PYTHON", "JUPYTER", "SLURM_"))]
    for key in ("cpus", "memory", "gpus", "nodes", "time"):
        value = getattr(choice, key)
        if key not in limits:
            assert value is None, key
        else:
            least, most = limits[key]
            assert type(value) is int, key
            assert least <= value <= most, key


def submission_of(choice: Choice) -> tuple[tuple[str, ...], str]:
    """What Slurm would be sent."""
    profile = SITE.profile_named(choice.profile)
    ticket = {"kind": "file", "path": f"{SESSIONS}/alice/server-big.ticket"}
    request = job_request(SITE, profile=profile, choice=choice, account=ALICE, tag=TAG, ticket=ticket)
    submission = SlurmScheduler().submission(request)
    # How long before its end a session is warned follows from the time: a number, and nothing but that.
    return submission.argv, re.sub(r'"warning": [0-9]{1,5}\b', '"warning": 0', submission.stdin)


def without_directory(script: str, choice: Choice) -> str:
    """The script without the line that enters the directory that was chosen, which is all there is of it."""
    if choice.working_directory is None:
        return script
    path = "/home/alice" + choice.working_directory[1:]
    path = path if choice.working_directory.startswith("~") else choice.working_directory
    line = next(line for line in script.splitlines() if line.startswith("cd -- "))
    assert shlex.split(line)[:5] == ["cd", "--", path, "||", "{"]
    assert script.count(line) == 1
    return script.replace(f"{line}\n", "cd -- ~ 2>/dev/null || cd /\n")


SCRIPTS = {name: submission_of(parse_choice({"profile": name}, SITE, "alice", ()))[1] for name in RULES}
"""What a person chooses is in no script but for the directory that it starts in: each profile has one."""


def judge_choice(given: Any) -> str:
    """What came of it, having checked that it may."""
    try:
        choice = parse_choice(given, SITE, "alice", ("alice",))
    except ChoiceRefused as error:
        assert_in_words(error)
        assert_known(error.field)
        return "refused"
    assert_within_the_rules(choice)
    argv, script = submission_of(choice)
    assert list(whose_submission(argv, "alice")) == []
    assert without_directory(script, choice) == SCRIPTS[choice.profile]
    assert parse_choice(choice.as_options(), SITE, "alice", ("alice",)) == choice
    return choice.profile


def choices() -> Counter[str]:
    made = Hostile(SEED)
    return Counter(judge_choice(made.choice()) for _ in range(2 * CALLS))


def test_whatever_is_chosen_is_refused_in_words_or_within_the_rules(
    record_property: Callable[[str, object], None],
) -> None:
    outcomes = choices()
    assert set(outcomes) == {"refused", "small", "gpu"}
    report(outcomes, record_property)


def test_whatever_a_form_holds_becomes_a_choice_that_is_judged_likewise(
    record_property: Callable[[str, object], None],
) -> None:
    made = Hostile(SEED)
    outcomes = Counter[str]()
    for _ in range(CALLS):
        outcomes[judge_choice(choice_from_form(made.form()))] += 1
    assert set(outcomes) == {"refused", "small", "gpu"}
    report(outcomes, record_property)


def test_a_refused_choice_is_shown_again_without_becoming_part_of_the_page() -> None:
    made = Hostile(SEED)
    markup = Counter(render_form(terms_for(SITE, "alice", ()), {}))
    for _ in range(CALLS // 50):
        last = made.choice()
        if isinstance(last, Mapping):
            page = Counter(render_form(terms_for(SITE, "alice", ()), last))
            assert (page["<"], page['"']) == (markup["<"], markup['"']), last


def _any_amount(limits: Range, given: object) -> int:
    return given if isinstance(given, int) else limits.default


HOLES: dict[str, tuple[Any, str, Any, Callable[[], object]]] = {
    "amounts have no limits": (Range, "choose", _any_amount, choices),
    "profiles are for everybody": (Site, "profiles_for", lambda self, *_: self.profiles, choices),
    "values are not looked at": (options, "_check", lambda *_: None, choices),
    "refusals quote what came in": (options, "quoted", str, choices),
}


@pytest.mark.parametrize(("where", "name", "instead", "run"), HOLES.values(), ids=HOLES)
def test_a_planted_hole_is_seen(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, instead: Any, run: Callable[[], object]
) -> None:
    """With one check taken out at a time, the same properties fail."""
    monkeypatch.setattr(where, name, instead)
    with pytest.raises((AssertionError, ValueError)):
        run()
