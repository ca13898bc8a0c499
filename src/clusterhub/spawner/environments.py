"""Which environments lie behind the names that a site offers: asked of the file system, for all at once.

A file system that hangs must not hang the hub: one thread looks, pages wait a moment for it, and without an
answer people are offered what site.toml names.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clusterhub.languages.text import _
from clusterhub.site.schema import Profile, Site
from clusterhub.site.versions import CURRENT, PREVIOUS, path_of
from clusterhub.spawner.options import Choice, ChoiceRefused

PATIENCE = 1.0
"""Seconds that a page or a start waits for a look."""
AGE = 5.0
"""Seconds for which a look is good."""

Directories = Mapping[Path, Path | None]
"""The directory behind each path, None where there is nothing; without those of which nobody can tell."""


@dataclass(frozen=True)
class Offer:
    """An environment that can be picked."""

    version: str
    """As site.toml names it, and as it is chosen."""
    title: str


class Environments:
    """The environments that a site names, as they lie there."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._look: asyncio.Future[Directories] | None = None
        self._looked = -AGE

    async def directories(self) -> Directories:
        """As of a few seconds ago; empty where the file system does not answer in time."""
        if self._look is None or (self._look.done() and time.monotonic() - self._looked > AGE):
            self._looked = time.monotonic()
            self._look = asyncio.ensure_future(asyncio.to_thread(_directories, self._paths()))
        done, _ = await asyncio.wait([self._look], timeout=PATIENCE)
        return self._look.result() if done else {}

    def _paths(self) -> frozenset[Path]:
        current = self.site.environment.path
        offered = [self.site.environments_of(profile) for profile in self.site.profiles]
        return frozenset(path_of(version, current) for versions in offered for version in versions)

    async def offers(self, profiles: Sequence[Profile]) -> Mapping[str, tuple[Offer, ...]]:
        """What can be picked in each profile, by its name; what is not there is left out."""
        directories = await self.directories()
        current = self.site.environment.path
        return {
            profile.name: offers(self.site.environments_of(profile), directories, current)
            for profile in profiles
        }

    async def directory_of(self, profile: Profile, choice: Choice) -> Path:
        """The directory that the job of this choice is to run in, or a link to it.

        What a profile presets, and what is active, is looked up when the job starts: until then operators may
        activate a better one. What a person picked is theirs from now on. Raises ChoiceRefused where that is
        not there.
        """
        path = self.site.environment_path(profile, choice.environment)
        if choice.environment is None or path == self.site.environment.path:
            return path
        found = (await self.directories()).get(path, path)
        if found is None:
            raise ChoiceRefused(
                f"There is no environment {choice.environment} at the moment.",
                field="environment",
                next=f"Choose {' or '.join(self.site.environments_of(profile))}, or leave it out.",
            )
        return found


def offers(versions: Sequence[str], directories: Directories, current: Path) -> tuple[Offer, ...]:
    """What can be picked among these. Pure."""
    found: dict[Path, Offer] = {}
    for version in versions:
        path = path_of(version, current)
        directory = directories.get(path, path)
        if directory is not None and directory not in found:
            found[directory] = Offer(version, _title(version, directory))
    return tuple(found.values())


def _title(version: str, directory: Path) -> str:
    if version == CURRENT and directory.name != version:
        return _("{version} (current)").format(version=directory.name)
    if version == PREVIOUS and directory.name != version:
        return _("{version} (previous)").format(version=directory.name)
    return directory.name


def _directories(paths: frozenset[Path]) -> Directories:
    found: dict[Path, Path | None] = {}
    for path in paths:
        if path.exists():
            found[path] = Path(os.path.realpath(path))
        elif path.parent.is_dir():  # else this machine may not have the file system that nodes have
            found[path] = None
    return found
