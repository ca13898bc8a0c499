"""Everything that `site.toml` can say, as one value. `clusterhub.site.loading` makes it from a file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import PrivateAttr

from clusterhub.errors import ClusterhubError
from clusterhub.site.addresses import Ports
from clusterhub.site.apps import App
from clusterhub.site.cluster import Cluster
from clusterhub.site.hub import Hub, Login
from clusterhub.site.kinds import ListOf
from clusterhub.site.pages import Pages
from clusterhub.site.people import allowed
from clusterhub.site.profile import Profile
from clusterhub.site.ranges import DurationRange, GpuRange, IntRange, MemoryRange
from clusterhub.site.section import Section, key
from clusterhub.site.sessions import Environment, Sessions
from clusterhub.site.versions import path_of

__all__ = [
    "App",
    "Cluster",
    "DurationRange",
    "Environment",
    "GpuRange",
    "Hub",
    "IntRange",
    "Login",
    "MemoryRange",
    "Pages",
    "Ports",
    "Profile",
    "Sessions",
    "Site",
]


class Site(Section):
    """A hub, its login, its clusters, its profiles. Every value that follows from others is filled in."""

    heading: ClassVar[str] = "site.toml"

    _path: Path = PrivateAttr(default=Path("site.toml"))

    hub: Hub = key("The hub.", example={"url": "https://jupyter.example.org"})
    login: Login = key("Who may log in, and how.", example={"method": "pam"}, default=Login())
    clusters: dict[str, Cluster] = key(
        "The schedulers, by name.", example={"main": {"scheduler": "slurm"}}, alias="cluster", default={}
    )
    environment: Environment = key(
        "The Python environment.", example={"path": "/shared/clusterhub/environments/current"}
    )
    apps: dict[str, App] = key(
        "Applications for a profile's `interface`, by name.",
        example={"matlab": {"title": "MATLAB"}},
        alias="app",
        default={},
    )
    sessions: Sessions = key("What every session has.", example={"ports": "30000-32000"}, default=Sessions())
    pages: Pages = key("What people see.", example={"languages": ["en", "fi"]}, default=Pages())
    profiles: Annotated[
        tuple[Profile, ...],
        ListOf("tables", "a table [[profile]], with two brackets, for each", may_be_empty=True),
    ] = key("The offers on the start page.", example=[{"name": "interactive"}], alias="profile", default=())

    @property
    def path(self) -> Path:
        """The file that this was read from."""
        return self._path

    def find_profile(self, name: object) -> Profile | None:
        """The profile of that name, if there is one."""
        return next((profile for profile in self.profiles if profile.name == name), None)

    def profile_named(self, name: str) -> Profile:
        """The profile of that name. Raises `ClusterhubError` where there is none."""
        if profile := self.find_profile(name):
            return profile
        raise ClusterhubError(
            f'there is no profile "{name}"',
            where=str(self.path),
            next=f"choose one of: {', '.join(profile.name for profile in self.profiles)}",
        )

    def cluster_of(self, profile: Profile) -> Cluster:
        """The cluster that a profile of this site runs on."""
        return self.clusters[profile.cluster]

    def environments_of(self, profile: Profile) -> tuple[str, ...]:
        """The environments that this profile offers, as the file names them; the first is preset."""
        return profile.environment or self.environment.offer

    def environment_path(self, profile: Profile, version: str | None = None) -> Path:
        """Directory of that environment, or of the one that the profile presets. It may be a link."""
        return path_of(version or self.environments_of(profile)[0], self.environment.path)

    def python_in(self, environment: Path) -> Path:
        """The interpreter of an environment."""
        if environment == self.environment.path:
            return self.environment.python
        return environment / "bin/python3"

    def environment_python(self, profile: Profile) -> Path:
        """The interpreter that sessions of this profile run in, unless another environment is chosen."""
        return self.python_in(self.environment_path(profile))

    @staticmethod
    def allowed(entries: Collection[str], person: str, groups: Collection[str]) -> bool:
        """True where the entries are empty, or name the person or one of the person's Unix groups."""
        return allowed(entries, person, groups)

    def profiles_for(self, person: str, groups: Collection[str]) -> tuple[Profile, ...]:
        """The profiles that this person is offered, in the order of the file."""
        return tuple(profile for profile in self.profiles if allowed(profile.allow, person, groups))
