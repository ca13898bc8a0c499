"""Limits of accounts and of qualities of service that keep a job waiting, put into words.

Slurm names some 150 of them by one scheme: whose limit (``Assoc``, ``QOS``; without either it is a QOS's),
whether of all jobs together (``Grp``), at most or at least (``Max``, ``Min``), of what (``Cpu``, ``GRES``
...), now or added up over time (``Minutes``, ``RunMinutes``), for each what (``PerJob`` ...). See
``job_reason_string()`` in the sources of 22.05, ``job_state_reason_string()`` in later ones, and
<https://slurm.schedmd.com/resource_limits.html>. So the words are made by the scheme, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?P<whose>Assoc|QOS)?(?P<kind>Grp|Max|Min)"
    r"(?P<what>SubmitJobs?|Jobs|WallDuration|Wall|Cpu|CPU|Memory|Mem|Node|Energy|GRES|License|BB|Billing|Unknown)"
    r"(?P<time>RunMinutes|RunMins|Minutes)?(?:Per(?P<per>Job|Node|User|Account))?(?:Limit|NotSatisfied)?"
)


@dataclass(frozen=True)
class _Amount:
    """How an amount is spoken of."""

    much: str
    """In "as ... as": much memory."""
    more: str
    """In "more ...": memory."""
    hours: str
    """Of it, over time."""
    less: str
    """What to choose instead of so much of it."""


_AMOUNTS = {
    "cpu": _Amount("many cores", "cores", "core hours", "fewer cores"),
    "mem": _Amount("much memory", "memory", "memory over time", "less memory"),
    "node": _Amount("many nodes", "nodes", "node hours", "fewer nodes"),
    "energy": _Amount("much energy", "energy", "energy over time", "less time or fewer cores"),
    "gres": _Amount("many GPUs or other devices", "GPUs or other devices", "GPU hours", "fewer GPUs"),
    "license": _Amount("many licences", "licences", "licence hours", "a profile that needs fewer licences"),
    "bb": _Amount("much burst buffer", "burst buffer", "burst buffer over time", "a profile that needs less"),
    "billing": _Amount("much of its budget", "of its budget", "budget", "less, or another profile"),
    "unknown": _Amount("much of one resource", "of one resource", "a resource over time", "less"),
}


def explain_limit(name: str) -> tuple[str, str] | None:
    """Why a job waits that this limit keeps waiting, and what the person can do; None for no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    whose, kind, what, over_time, per = found.group("whose", "kind", "what", "time", "per")
    if what in ("Jobs", "SubmitJob", "SubmitJobs"):
        return _jobs(whose, kind, per, submitted=what != "Jobs")
    if what in ("Wall", "WallDuration"):
        return _run_time(whose, kind)
    key = what.lower()
    amount = _AMOUNTS["mem" if key == "memory" else key]
    if kind == "Min":
        return (
            f"it asks for less than the quality of service demands: {amount.more}",
            "It will not start as it is: stop it, and choose more or another profile.",
        )
    if over_time:
        return _over_time(whose, kind, per, amount, of_running=over_time.startswith("Run"))
    return _at_once(whose, kind, per, amount)


def _over_time(
    whose: str | None, kind: str, per: str | None, amount: _Amount, *, of_running: bool
) -> tuple[str, str]:
    """Limits on an amount that is added up over time."""
    if per == "Job":
        return (
            f"it asks for more {amount.hours} than {_lender(whose)} allows one job",
            f"It will not start as it is: stop it, and choose less time or {amount.less}.",
        )
    if of_running:
        all_of_it = f"as much time in all as is allowed ({amount.hours})"
        return (
            f"{_holders(whose, kind, per)} that run have been given {all_of_it}",
            "It starts when some of them end; with less time it may start sooner.",
        )
    return _used_up(whose, amount)


def _at_once(whose: str | None, kind: str, per: str | None, amount: _Amount) -> tuple[str, str]:
    """Limits on an amount that may be used at the same time."""
    if per in ("Job", "Node") or (kind == "Max" and per is None):
        unit = "on one node" if per == "Node" else "one job"
        return (
            f"it asks for more {amount.more} than {_lender(whose)} allows {unit}",
            f"It will not start as it is: stop it, and choose {amount.less}.",
        )
    ends = "a job of yours ends" if per == "User" else "some of them end"
    return (
        f"{_holders(whose, kind, per)} use as {amount.much} as they may together",
        f"It starts when {ends}; with {amount.less} it may start sooner.",
    )


def _jobs(whose: str | None, kind: str, per: str | None, *, submitted: bool) -> tuple[str, str]:
    """Limits on how many jobs there may be."""
    verb = "have as many jobs in the queue" if submitted else "run as many jobs"
    if kind == "Grp":
        if whose == "QOS":
            of_all = "are in the queue" if submitted else "run"
            return (
                f"as many jobs of this quality of service {of_all} as may at once",
                "It starts when one of them ends.",
            )
        return (
            f"people of your account {verb} as they may together",
            "It starts when one of their jobs ends.",
        )
    if per == "Account":
        return f"people of your account {verb} as they may", "It starts when one of their jobs ends."
    return f"you {verb} as you may at once", "It starts when a job of yours ends; you can stop one."


def _run_time(whose: str | None, kind: str) -> tuple[str, str]:
    """Limits on run time."""
    if kind == "Grp":
        return _used_up(whose, _Amount("", "", "run time", "less time"))
    return (
        f"it asks for more time than {_lender(whose)} allows one job",
        "It will not start as it is: stop it, and choose less time.",
    )


def _used_up(whose: str | None, amount: _Amount) -> tuple[str, str]:
    if whose == "Assoc":
        return (
            f"your account has used up what it had: {amount.hours}",
            "Choose a profile with another account, or ask your operators for more.",
        )
    return (
        f"what this quality of service had is used up: {amount.hours}",
        "Choose another profile, or ask your operators for more.",
    )


def _lender(whose: str | None) -> str:
    return "your account" if whose == "Assoc" else "the quality of service"


def _holders(whose: str | None, kind: str, per: str | None) -> str:
    """Whose jobs are counted together."""
    if per == "User":
        return "your jobs"
    if per == "Account" or whose == "Assoc":
        return "the jobs of your account"
    return "the jobs of this quality of service" if kind == "Grp" else "your jobs"
