"""What change of a choice would mend what became of it, to be started with one click. Pure."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from clusterhub.errors import ClusterhubError, Explanation
from clusterhub.languages.text import Text, _, joined
from clusterhub.schedulers.model import Job, Outcome, SubmitRefused
from clusterhub.site.quantities import format_duration, format_size
from clusterhub.site.ranges import Range
from clusterhub.site.schema import Profile
from clusterhub.spawner.alternatives import said
from clusterhub.spawner.explanations import BY_SIGNAL
from clusterhub.spawner.options import AMOUNTS, Choice
from clusterhub.spawner.patience import WaitedTooLong
from clusterhub.spawner.sentences import MORE_MEMORY

Options = Mapping[str, str | int]
"""A choice as `Choice.as_options` has it."""

Accepts = Callable[[Options], Choice | None]
"""What the one parser makes of a choice, for this person; None where it refuses."""

STEP = 2
"""By which factor an amount grows or shrinks: less would often not do, and more costs a longer wait."""

SMALL_STEPS = (1.5, 1.25)
"""To be tried where the scheduler, or the person's own limits, do not allow a whole step."""


class Remedy(str, Enum):
    """What kind of change mends it."""

    MORE_MEMORY = "more memory"
    MORE_TIME = "more time"
    LESS_TIME = "less time"
    LESS_MEMORY = "less memory"
    FEWER_CPUS = "fewer cores"
    LESS = "less"
    ELSEWHERE = "elsewhere"


_OUTCOMES: Mapping[Outcome, Remedy] = {
    Outcome.TIME_LIMIT: Remedy.MORE_TIME,
    Outcome.DEADLINE: Remedy.LESS_TIME,
    Outcome.PREEMPTED: Remedy.ELSEWHERE,
}
"""Besides those whose explanation advises more memory."""

_REFUSALS: Mapping[str, Remedy] = {
    "time": Remedy.LESS_TIME,
    "memory": Remedy.LESS_MEMORY,
    "cpus": Remedy.FEWER_CPUS,
    "nodes": Remedy.LESS,
    **dict.fromkeys(
        ("partition", "account", "qos", "reservation", "constraint", "gpus", "gpu_type"), Remedy.ELSEWHERE
    ),
}
"""By `SubmitRefused.field`."""

_SMALLER: Mapping[Remedy, tuple[str, ...]] = {
    Remedy.LESS_TIME: ("time",),
    Remedy.LESS_MEMORY: ("memory",),
    Remedy.FEWER_CPUS: ("cpus",),
    Remedy.LESS: ("cpus", "memory", "gpus", "nodes"),
}

_LARGER: Mapping[Remedy, str] = {Remedy.MORE_MEMORY: "memory", Remedy.MORE_TIME: "time"}

_PICKED = ("account", "qos", "partition", "reservation", "constraint", "gpu_type")
"""What a person may have picked themselves of where a job goes; without it the profile's own holds."""


@dataclass(frozen=True)
class Mend:
    """A choice that may do better, and what is said on its button."""

    choice: Choice
    sentence: Text


def remedy_of_ending(job: Job, explanation: Explanation) -> Remedy | None:
    """What mends the end of a job; None where nothing in the choice was at fault."""
    if job.outcome is not None and job.outcome in _OUTCOMES:
        return _OUTCOMES[job.outcome]
    killed = job.signal == signal.SIGKILL or job.exit_code == BY_SIGNAL + signal.SIGKILL
    # What was cancelled, or was on a node that failed, is killed in the end as well.
    unexplained = job.outcome in (None, Outcome.FAILED, Outcome.UNKNOWN)
    return Remedy.MORE_MEMORY if explanation.next == MORE_MEMORY or (killed and unexplained) else None


def remedy_of_failure(error: ClusterhubError) -> Remedy | None:
    """What mends a start that came to nothing; None where nothing in the choice was at fault."""
    if isinstance(error, SubmitRefused):
        return _REFUSALS.get(error.field) or (Remedy.LESS if error.too_much else None)
    return Remedy.LESS if isinstance(error, WaitedTooLong) else None


def mend(remedy: Remedy, before: Choice, profiles: Sequence[Profile], accepts: Accepts) -> Mend | None:
    """The first change of that kind which the parser accepts, and which is one.

    ``profiles`` are those that the person may use. None where there is nothing to change.
    """
    here = next((profile for profile in profiles if profile.name == before.profile), None)
    if here is None:
        return None
    for options, profile in _candidates(remedy, before.as_options(), here, profiles):
        choice = accepts(options)
        if choice is not None and choice != before:
            return Mend(choice, _sentence(before, choice, here, profile))
    return None


def _candidates(
    remedy: Remedy, last: Options, here: Profile, profiles: Sequence[Profile]
) -> Iterator[tuple[Options, Profile]]:
    """Choices to try, the nearest first, each with its profile."""
    others = sorted(
        (profile for profile in profiles if profile is not here and _is_of_a_kind(last, profile)),
        key=lambda profile: (profile.cluster != here.cluster, _changes(last, here, profile)),
    )
    if remedy in _SMALLER:
        yield {**last, **_smaller(last, here, _SMALLER[remedy])}, here
        return
    if remedy in _LARGER:
        key = _LARGER[remedy]
        for factor in (STEP, *SMALL_STEPS):
            yield {**last, **_larger(last, here, key, factor)}, here
        for profile in others:
            limits: Range | None = getattr(profile, key)
            if limits is not None and _comparable(here, profile, key) and limits.max > int(last.get(key, 0)):
                moved = _moved(last, here, profile)
                yield {**moved, key: max(limits.min, min(limits.max, STEP * int(last.get(key, 0))))}, profile
        return
    own = {key: value for key, value in last.items() if key not in _PICKED}
    yield own, here
    for partition in here.partition if len(here.partition) > 1 else ():
        if partition != last.get("partition"):
            yield {**own, "partition": partition}, here
    for profile in others:
        if _place(profile) != _place(here):
            yield _moved(own, here, profile), profile


def _place(profile: Profile) -> tuple[object, ...]:
    """Where the scheduler is told to put its jobs, and on whose bill."""
    return (
        profile.cluster,
        frozenset(profile.partition),
        profile.account,
        profile.qos,
        profile.reservation,
        profile.constraint,
    )


def _is_of_a_kind(last: Options, profile: Profile) -> bool:
    """GPUs are neither taken away from somebody who has chosen them, nor given to somebody who has not."""
    most = profile.gpus.max if profile.gpus is not None else 0
    least = profile.gpus.min if profile.gpus is not None else 0
    return most > 0 if last.get("gpus") else least == 0


def _comparable(here: Profile, there: Profile, key: str) -> bool:
    """Whether an amount means the same in both: memory is per node or per CPU."""
    one, other = getattr(here, key), getattr(there, key)
    return getattr(one, "per", None) == getattr(other, "per", None)


def _moved(last: Options, here: Profile, there: Profile) -> dict[str, str | int]:
    """The choice in another profile, as near to what it was as that goes."""
    moved: dict[str, str | int] = {"profile": there.name}
    if last.get("interface") in there.interface:
        moved["interface"] = last["interface"]
    for key in AMOUNTS:
        limits: Range | None = getattr(there, key)
        value = last.get(key)
        if limits is not None and isinstance(value, int) and _comparable(here, there, key):
            moved[key] = max(limits.min, min(limits.max, value))
    moved.update({key: last[key] for key in ("working_directory", "variables") if key in last})
    return moved


def _changes(last: Options, here: Profile, there: Profile) -> int:
    """How many amounts would be others."""
    moved = _moved(last, here, there)
    return sum(moved.get(key) != last.get(key) for key in AMOUNTS if key in last)


def _larger(last: Options, profile: Profile, key: str, factor: float) -> dict[str, int]:
    limits: Range | None = getattr(profile, key)
    value = last.get(key)
    if limits is None or not isinstance(value, int):
        return {}
    return {key: min(limits.max, int(factor * value))}


def _smaller(last: Options, profile: Profile, keys: Sequence[str]) -> dict[str, int]:
    less: dict[str, int] = {}
    for key in keys:
        limits: Range | None = getattr(profile, key)
        value = last.get(key)
        if limits is not None and isinstance(value, int):
            less[key] = max(limits.min, value // STEP)
    return less


def _sentence(before: Choice, after: Choice, here: Profile, there: Profile) -> Text:
    changes = joined(list(_differences(before, after, here, there)), ", ")
    if there is not here:
        if not changes:
            return _("Start again as “{profile}”").format(profile=there.title)
        return _("Start again as “{profile}”, with {changes}").format(profile=there.title, changes=changes)
    partition = after.as_options().get("partition")
    if partition is not None and partition != before.as_options().get("partition"):
        return _("Start again in partition {partition}").format(partition=partition)
    if not changes:
        return _("Start again with what the profile presets")
    return _("Start again with {changes}").format(changes=changes)


def _differences(before: Choice, after: Choice, here: Profile, there: Profile) -> Iterator[str]:
    for key in AMOUNTS:
        old, new = getattr(before, key), getattr(after, key)
        if new is None or new == old or (old is None and key in ("gpus", "nodes")):
            continue
        if old is None or not _comparable(here, there, key):
            yield _amount(key, new)
        else:
            yield _("{new} instead of {old}").format(new=_amount(key, new), old=_bare(key, old))


def _bare(key: str, value: int) -> str:
    words = {"memory": format_size, "time": format_duration}
    return words[key](value) if key in words else str(value)


def _amount(key: str, value: int) -> str:
    return _("a time limit of {time}").format(time=said(key, value)) if key == "time" else said(key, value)
