"""What the home page shows of a person's sessions: a card for each server, and how the last ones ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clusterhub.hub.relaunch import fields_of
from clusterhub.languages.text import _, counted
from clusterhub.schedulers.model import Job
from clusterhub.site.quantities import format_duration, format_size
from clusterhub.site.schema import Profile, Site
from clusterhub.spawner.ending_store import Recent
from clusterhub.spawner.session_state import SessionState
from clusterhub.spawner.usage import Used

HEADINGS: Mapping[str, str] = {
    "submitting": _("Being submitted"),
    "queued": _("Waiting in the queue"),
    "starting": _("Starting"),
    "running": _("Running"),
    "suspended": _("Suspended"),
    "ending": _("Ending"),
    "unknown": _("Not known"),
    "away": _("Cannot be reached"),
    "stopping": _("Stopping"),
    "stopped": _("Not running"),
}
"""Each state that a card can have, in a person's words."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@dataclass(frozen=True)
class Bar:
    """How much of something is used or left: of all, if that is known, and in words."""

    value: float
    of: float | None
    words: str


@dataclass(frozen=True)
class Card:
    """One server, running or not."""

    server: str
    """Empty for the default one."""
    title: str
    """What the person calls it."""
    state: str
    """A key of `HEADINGS`."""
    message: str
    """A sentence that says more; may be empty."""
    profile: str = ""
    """The profile's title."""
    cluster: str = ""
    partition: str = ""
    nodes: tuple[str, ...] = ()
    job: str = ""
    resources: tuple[str, ...] = ()
    started_at: float | None = None
    ends_at: float | None = None
    """Seconds since the epoch; None where no limit is known."""
    time: Bar | None = None
    memory: Bar | None = None
    cpu: Bar | None = None

    @property
    def heading(self) -> str:
        """The state in words."""
        return HEADINGS[self.state]

    @property
    def is_active(self) -> bool:
        """Whether there is something that runs or is on its way."""
        return self.state not in ("stopped", "stopping")

    @property
    def can_be_opened(self) -> bool:
        """Whether a click leads into it; else to the page that waits for it."""
        return self.state == "running"


def card_of(site: Site, spawner: Any, state: SessionState | None) -> Card:
    """The card of one of JupyterHub's spawners; ``state`` is None where nothing runs or starts."""
    title = spawner.orm_spawner.display_name or spawner.name
    if spawner.pending == "stop":
        return Card(spawner.name, title, "stopping", "")
    if state is None:
        return idle(spawner.orm_spawner)
    profile = site.find_profile(state.profile)
    options = spawner.user_options if isinstance(spawner.user_options, Mapping) else {}
    job = state.record
    shown = "away" if spawner.following.absence and state.state == "running" else state.state
    return Card(
        server=spawner.name,
        title=title,
        state=shown,
        message=state.message,
        profile=profile.title if profile is not None else state.profile,
        cluster=state.cluster,
        partition=job.partition if job is not None else "",
        nodes=job.nodes if job is not None else (),
        job=state.job,
        resources=tuple(resources(options, profile)),
        started_at=job.started_at if job is not None else None,
        ends_at=job.ends_at if job is not None and state.remaining is not None else None,
        time=time_bar(state, job),
        memory=memory_bar(state.used, options, profile),
        cpu=cpu_bar(state.used, options),
    )


def idle(orm_spawner: Any) -> Card:
    """The card of a server that does not run, as JupyterHub's database has it."""
    return Card(orm_spawner.name, orm_spawner.display_name or orm_spawner.name, "stopped", "")


def resources(options: Mapping[str, Any], profile: Profile | None) -> list[str]:
    """What was chosen, in words; ``options`` is as `Choice.as_options` has it, or as somebody sent it."""
    amounts = {key: value for key, value in options.items() if isinstance(value, int) and value > 0}
    told: list[str] = []
    if nodes := amounts.get("nodes", 1) if amounts.get("nodes", 1) > 1 else 0:
        told.append(counted("one node", "{count} nodes", nodes))
    if cpus := amounts.get("cpus"):
        told.append(counted("one core", "{count} cores", cpus))
    if memory := amounts.get("memory"):
        per_core = profile is not None and profile.memory is not None and profile.memory.per == "cpu"
        told.append(
            _("{size} per core").format(size=format_size(memory)) if per_core else format_size(memory)
        )
    if gpus := amounts.get("gpus"):
        kind = profile.gpus.type if profile is not None and profile.gpus is not None else None
        words = counted("one GPU", "{count} GPUs", gpus)
        told.append(words + f" ({kind})" if kind else words)
    if seconds := amounts.get("time"):
        told.append(format_duration(seconds))
    return told


def time_bar(state: SessionState, job: Job | None) -> Bar | None:
    """How much of its time is left; None where it has no limit, or its clock stands still."""
    if state.remaining is None or job is None or job.ends_at is None:
        return None
    began = job.started_at
    total = job.ends_at - began if began is not None and began < job.ends_at else None
    minutes = 60 * round(state.remaining / 60)
    words = (
        _("{time} left").format(time=format_duration(minutes)) if minutes else _("less than a minute left")
    )
    return Bar(state.remaining, total, words)


def memory_bar(used: Used | None, options: Mapping[str, Any], profile: Profile | None) -> Bar | None:
    """How much memory is in use, of what was asked for on each node."""
    if used is None:
        return None
    asked = options.get("memory")
    total = float(asked) if isinstance(asked, int) and asked > 0 else None
    if total is not None and profile is not None and profile.memory is not None:
        total *= _count(options, "cpus") if profile.memory.per == "cpu" else 1
    words = rough_size(used.memory)
    if total:
        words = _("{used} of {all}").format(used=words, all=rough_size(total))
    return Bar(used.memory, total, words)


def cpu_bar(used: Used | None, options: Mapping[str, Any]) -> Bar | None:
    """How many cores are busy, of those on one node."""
    if used is None:
        return None
    total = _count(options, "cpus")
    return Bar(used.cores, total, _("{busy} of {all} busy").format(busy=f"{used.cores:.1f}", all=total))


def _count(options: Mapping[str, Any], key: str) -> int:
    value = options.get(key)
    return value if isinstance(value, int) and value > 0 else 1


def rough_size(size: float) -> str:
    """A size as people say it: 812 MiB, 1.5 GiB."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - no four digits
        size, unit = size / 1024, unit + 1
    few = size < 10 and unit and round(size, 1) != round(size)  # noqa: PLR2004 - a digit more tells something
    return f"{size:.1f} {_UNITS[unit]}" if few else f"{size:.0f} {_UNITS[unit]}"


@dataclass(frozen=True)
class Past:
    """A session that has ended, or did not start."""

    server: str
    profile: str
    resources: tuple[str, ...]
    what: str
    """How it ended, in a sentence."""
    ended_at: float
    served: bool
    job: str
    again: tuple[tuple[str, str], ...]
    """The start page's fields for the same choice; none where it cannot be made any more."""


def past_of(site: Site, recent: Recent) -> Past:
    """An ending as the home page shows it."""
    ending = recent.ending
    profile = site.find_profile(ending.profile)
    return Past(
        server=recent.server,
        profile=profile.title if profile is not None else ending.profile,
        resources=tuple(resources(ending.choice, profile)),
        what=ending.explanation.what,
        ended_at=ending.ended_at,
        served=ending.served,
        job=ending.job,
        again=tuple(fields_of(site, ending.choice)) if ending.choice else (),
    )
