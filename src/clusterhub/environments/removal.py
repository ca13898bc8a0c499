"""`clusterhub environment remove`: what nobody uses any more.

Who uses a version is not known here: the caller finds the live sessions and the site file's profiles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clusterhub.environments.activation import point_to_previous
from clusterhub.environments.packing import forget_image
from clusterhub.environments.records import forget_check
from clusterhub.environments.versions import REMOVING, Environments, Version, cannot_change, remove_tree
from clusterhub.errors import ClusterhubError

MOST_NAMED = 5
"""Users of a version that a message names."""


@dataclass(frozen=True)
class Use:
    """Somebody or something that runs in an environment."""

    who: str
    """In words, such as ``session of alice, job 17 on main``."""
    directory: Path | None
    """The environment's directory, behind all links; None where it cannot be known."""


def users_of(version: Version, uses: Iterable[Use]) -> list[Use]:
    """Those that use that version."""
    return [use for use in uses if use.directory is not None and use.directory == version.directory]


def remove(environments: Environments, name: str, uses: Iterable[Use], *, force: bool) -> None:
    """Remove a version, or forget one that was adopted.

    Raises ClusterhubError for the active one, and, unless ``force`` is set, for one that somebody uses and
    where somebody might.
    """
    with environments.changing():
        version = environments.version(name, finished=False)
        if version.active:
            raise ClusterhubError(
                f"The version {name} is the active one.",
                where=str(environments.link),
                next="Activate another version first, or roll back.",
            )
        if not force:
            _refuse_used(version, list(uses))
        try:
            _finish_earlier_removals(environments)
            _remove(environments, version)
            point_to_previous(environments)
        except OSError as error:
            raise cannot_change(environments.directory, error) from None


def _refuse_used(version: Version, uses: list[Use]) -> None:
    using, unknown = users_of(version, uses), [use for use in uses if use.directory is None]
    for found, what, remedy in (
        (using, "is in use", "Wait for their end, or stop them"),
        (unknown, "may be in use: not all sessions tell in which environment they run", "Wait for their end"),
    ):
        if found:
            named = ", ".join(use.who for use in found[:MOST_NAMED])
            more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
            raise ClusterhubError(
                f"The version {version.name} {what}.",
                where=f"{named}{more}",
                next=f"{remedy}; --force removes it all the same, and breaks what runs in it.",
            )


def _remove(environments: Environments, version: Version) -> None:
    manifest = environments.manifest_path(version.name)
    forget_image(environments, version.name)
    if version.is_adopted:
        version.path.unlink()
        manifest.unlink(missing_ok=True)
    else:
        # By one rename: whatever ends us now, nobody takes what is left for a version.
        doomed = environments.directory / f"{REMOVING}{version.name}"
        if version.path.exists():
            version.path.rename(doomed)
        remove_tree(environments.building / version.name)
        remove_tree(doomed)
    forget_check(environments, version.name)


def _finish_earlier_removals(environments: Environments) -> None:
    for left in environments.directory.glob(f"{REMOVING}*"):
        remove_tree(left)
