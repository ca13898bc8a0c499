"""The closed tables: which programs there are, and what their command lines may hold."""

from __future__ import annotations

import shlex

HUB_AND_SERVER = r"clusterhub:[A-Za-z0-9.-]{1,255}:(?P<person>[^:]*):[A-Za-z0-9_.-]{0,64}"

_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}"
_WORDS = rf"{_WORD}(?:,{_WORD}){{0,31}}"
_COUNT = r"[0-9]{1,7}"
_AMOUNT = r"[0-9]{1,15}[KMGT]?"
_GPUS = rf"(?:{_WORD}:)?{_COUNT}"
_GRES = rf"{_WORD}(?::{_WORD}){{0,2}}"
_TIME = r"(?:[0-9]{1,5}-)?[0-9]{1,9}(?::[0-9]{1,2}){0,2}"
_PATH = r"/[^\x00-\x1f\x7f]{0,4094}"

NOTHING_DONE = "--test-only"
"""The option with which sbatch tells when a job would start, and submits nothing."""

_SBATCH: dict[str, str | None] = {
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
_LOCAL_ENGINE: dict[str, str | None] = {
    "--directory": _PATH,
    "--name": _WORD,
    "--tag": HUB_AND_SERVER,
    "--cpus": _COUNT,
    "--memory": _AMOUNT,
    "--time": _COUNT,
    "--warning": _COUNT,
    "--output": _PATH,
    "--chdir": _PATH,
    "--capacity-cpus": _COUNT,
    "--capacity-memory": _AMOUNT,
}

PROGRAMS: dict[str, dict[str, dict[str, str | None]]] = {
    "sbatch": {
        "submit": _SBATCH,
        "estimate": {**_SBATCH, NOTHING_DONE: None},
    },
    "scancel": {
        "cancel": {"--full": None, "--quiet": None},
        "signal": {"--full": None, "--signal": "CONT|HUP|INT|KILL|STOP|TERM|USR1|USR2"},
    },
    "local-engine": {
        "submit": _LOCAL_ENGINE,
        "estimate": _LOCAL_ENGINE,
        "cancel": {"--directory": _PATH},
    },
}
"""Program, verb, option, and the whole form of its value; None where it takes none."""

ESTIMATE_ENVIRONMENT = {"SLURM_TIME_FORMAT": "%s"}
"""For an estimate: times as seconds since the epoch, in no time zone. Nothing that runs inherits it."""

TOLD_THE_VERB = frozenset({"local-engine"})
"""Programs whose first argument says what they are to do."""


def directive_words(directive: str) -> list[str]:
    """The arguments that an operator's directive stands for; none for one that is no option."""
    try:
        words = shlex.split(directive)
    except ValueError:
        return []
    return words if words and words[0].startswith("-") else []
