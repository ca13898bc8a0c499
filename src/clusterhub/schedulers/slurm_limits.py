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

from clusterhub.languages.text import _

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
    "cpu": _Amount(_("many cores"), _("cores"), _("core hours"), _("fewer cores")),
    "mem": _Amount(_("much memory"), _("memory"), _("memory over time"), _("less memory")),
    "node": _Amount(_("many nodes"), _("nodes"), _("node hours"), _("fewer nodes")),
    "energy": _Amount(_("much energy"), _("energy"), _("energy over time"), _("less time or fewer cores")),
    "gres": _Amount(
        _("many GPUs or other devices"), _("GPUs or other devices"), _("GPU hours"), _("fewer GPUs")
    ),
    "license": _Amount(
        _("many licences"), _("licences"), _("licence hours"), _("a profile that needs fewer licences")
    ),
    "bb": _Amount(
        _("much burst buffer"), _("burst buffer"), _("burst buffer over time"), _("a profile that needs less")
    ),
    "billing": _Amount(
        _("much of its budget"), _("of its budget"), _("budget"), _("less, or another profile")
    ),
    "unknown": _Amount(_("much of one resource"), _("of one resource"), _("a resource over time"), _("less")),
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
            _("it asks for less than the quality of service demands: {more}").format(more=amount.more),
            _("It will not start as it is: stop it, and choose more or another profile."),
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
            _("it asks for more {hours} than {lender} allows one job").format(
                hours=amount.hours, lender=_lender(whose)
            ),
            _("It will not start as it is: stop it, and choose less time or {less}.").format(
                less=amount.less
            ),
        )
    if of_running:
        all_of_it = _("as much time in all as is allowed ({hours})").format(hours=amount.hours)
        return (
            _("{holders} that run have been given {all_of_it}").format(
                holders=_holders(whose, kind, per), all_of_it=all_of_it
            ),
            _("It starts when some of them end; with less time it may start sooner."),
        )
    return _used_up(whose, amount)


def _at_once(whose: str | None, kind: str, per: str | None, amount: _Amount) -> tuple[str, str]:
    """Limits on an amount that may be used at the same time."""
    if per in ("Job", "Node") or (kind == "Max" and per is None):
        unit = _("on one node") if per == "Node" else _("one job")
        return (
            _("it asks for more {more} than {lender} allows {unit}").format(
                more=amount.more, lender=_lender(whose), unit=unit
            ),
            _("It will not start as it is: stop it, and choose {less}.").format(less=amount.less),
        )
    ends = _("a job of yours ends") if per == "User" else _("some of them end")
    return (
        _("{holders} use as {much} as they may together").format(
            holders=_holders(whose, kind, per), much=amount.much
        ),
        _("It starts when {ends}; with {less} it may start sooner.").format(ends=ends, less=amount.less),
    )


def _jobs(whose: str | None, kind: str, per: str | None, *, submitted: bool) -> tuple[str, str]:
    """Limits on how many jobs there may be."""
    verb = _("have as many jobs in the queue") if submitted else _("run as many jobs")
    if kind == "Grp":
        if whose == "QOS":
            run = _("as many jobs of this quality of service run as may at once")
            queued = _("as many jobs of this quality of service are in the queue as may at once")
            return queued if submitted else run, _("It starts when one of them ends.")
        return (
            _("people of your account {verb} as they may together").format(verb=verb),
            _("It starts when one of their jobs ends."),
        )
    if per == "Account":
        return _("people of your account {verb} as they may").format(verb=verb), _(
            "It starts when one of their jobs ends."
        )
    return _("you {verb} as you may at once").format(verb=verb), _(
        "It starts when a job of yours ends; you can stop one."
    )


def _run_time(whose: str | None, kind: str) -> tuple[str, str]:
    """Limits on run time."""
    if kind == "Grp":
        return _used_up(whose, _Amount("", "", _("run time"), _("less time")))
    return (
        _("it asks for more time than {lender} allows one job").format(lender=_lender(whose)),
        _("It will not start as it is: stop it, and choose less time."),
    )


def _used_up(whose: str | None, amount: _Amount) -> tuple[str, str]:
    if whose == "Assoc":
        return (
            _("your account has used up what it had: {hours}").format(hours=amount.hours),
            _("Choose a profile with another account, or ask your operators for more."),
        )
    return (
        _("what this quality of service had is used up: {hours}").format(hours=amount.hours),
        _("Choose another profile, or ask your operators for more."),
    )


def _lender(whose: str | None) -> str:
    return _("your account") if whose == "Assoc" else _("the quality of service")


def _holders(whose: str | None, kind: str, per: str | None) -> str:
    """Whose jobs are counted together."""
    if per == "User":
        return _("your jobs")
    if per == "Account" or whose == "Assoc":
        return _("the jobs of your account")
    return _("the jobs of this quality of service") if kind == "Grp" else _("your jobs")
