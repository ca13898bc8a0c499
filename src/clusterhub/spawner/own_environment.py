"""The environment that a person brings along for the server: a directory, a module, or a container's image.

What it is and how it is run, pure; and whether it will do, by what the helper sees of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterhub.privileged.broker import Account, Broker
from clusterhub.session.elsewhere import RUNTIME
from clusterhub.site.profile import Profile, in_home
from clusterhub.spawner.options import Choice
from clusterhub.spawner.rules import ChoiceRefused

if TYPE_CHECKING:
    from clusterhub.spawner.clusters import Clusters

OLDEST = (3, 10)
"""The oldest Python that JupyterHub 6 runs on, which has to know the hub."""

_MODULE = (
    'if [ -r /etc/profile ]; then . /etc/profile; fi; module load "$1" || exit 81; shift; exec python3 "$@"'
)
"""Bash that loads the module and becomes its Python. 81 is the launcher's NO_ENVIRONMENT."""


@dataclass(frozen=True)
class Own:
    """An environment that a person brings along."""

    key: str
    """By which of the choices it was named."""
    named: str
    """As the person wrote it, but for ``~``."""

    def as_settings(self, containers: str, home: str) -> dict[str, Any]:
        """What the launcher is told of it."""
        return {
            "command": list(command(self, containers, home)),
            "what": f"{WORDS[self.key]} {self.named}",
            "copied": self.key == "own_image",
        }


WORDS = {"own_path": "the environment", "own_module": "the module", "own_image": "the image"}


def own_of(choice: Choice, home: str) -> Own | None:
    """What was chosen of that kind; None where nothing was. Raises ChoiceRefused for several."""
    chosen = [key for key in WORDS if getattr(choice, key)]
    if len(chosen) > 1:
        raise ChoiceRefused(
            f"{' and '.join(chosen)} were given, and the server runs in one environment.",
            field=chosen[1],
            next="Give one of them.",
        )
    if not chosen:
        return None
    (key,) = chosen
    named = getattr(choice, key)
    return Own(key, named if key == "own_module" else in_home(named, home))


def command(own: Own, containers: str, home: str) -> Sequence[str]:
    """How a Python of it is run; its own arguments follow. Pure."""
    if own.key == "own_path":
        return (f"{own.named}/bin/python3",)
    if own.key == "own_module":
        return ("/bin/bash", "-c", _MODULE, "clusterhub", own.named)
    return _CONTAINERS[containers](own.named, home)


def _apptainer(image: str, home: str) -> Sequence[str]:
    return ("apptainer", "exec", "--bind", RUNTIME, "--bind", home, image, "python3")


def _charliecloud(image: str, home: str) -> Sequence[str]:
    # It shows /tmp by itself, where the session's directory lies unless TMPDIR is another.
    return ("ch-run", "--home", f"--cd={home}", image, "--", "python3")


def _podman(image: str, home: str) -> Sequence[str]:
    shown = [word for path in (RUNTIME, home) for word in ("--volume", f"{path}:{path}")]
    return (
        *("podman", "run", "--rm", "--network=host", "--env-host", "--userns=keep-id", "--preserve-fds=2"),
        "--cgroups=disabled",  # it stays in those of the job, which count
        *(*shown, f"--workdir={home}", f"docker-archive:{image}", "python3"),
    )


_CONTAINERS = {"apptainer": _apptainer, "charliecloud": _charliecloud, "podman": _podman}


async def environment_of(
    clusters: Clusters, choice: Choice, profile: Profile, account: Account, *, began_in: str = ""
) -> Path:
    """The site's environment that the job runs in, also where it hands over to one that a person brings.

    ``began_in`` is that of a start that goes on, whatever is there now. Raises ChoiceRefused where what was
    chosen will not do.
    """
    if began_in:
        return Path(began_in)
    own = own_of(choice, account.home)
    if own is not None:
        await ensure_usable(clusters.broker, account, own)
    return await clusters.environments.directory_of(profile, choice)


async def ensure_usable(broker: Broker, account: Account, own: Own) -> None:
    """That the session could run in it, as far as names of files tell. Raises ChoiceRefused, BrokerError.

    A module is known only where it is loaded: on the node.
    """
    if own.key != "own_module":
        problem = problem_of(own, await broker.look_at_environment(account.name, own.named))
        if problem is not None:
            raise problem


def problem_of(own: Own, seen: Mapping[str, Any]) -> ChoiceRefused | None:
    """Why the session could not run in it, by what the helper saw; None where it may. Pure."""

    def refused(what: str, remedy: str) -> ChoiceRefused:
        return ChoiceRefused(what, field=own.key, next=remedy)

    if not seen["exists"]:
        return refused(f"There is no {own.named} that you can see.", "Look whether the path is right.")
    if own.key == "own_image":
        return (
            None
            if seen["readable"]
            else refused(f"You may not read {own.named}.", "Ask whoever made the image.")
        )
    if not seen["runs"]:
        return refused(
            f"{own.named} has no program bin/python3 that you may run.",
            "Give the directory of an environment that conda or venv has made.",
        )
    numbers = tuple(int(part) for part in str(seen["python"]).split(".") if part.isdecimal())
    if numbers and numbers < OLDEST:
        return refused(
            f"{own.named} has Python {seen['python']}, and sessions need {'.'.join(map(str, OLDEST))}.",
            "Make the environment with a newer Python.",
        )
    if not seen["server"] and not seen["borrows"]:
        return refused(
            f"{own.named} has no Jupyter Server.",
            f"Install it there: {own.named}/bin/python3 -m pip install jupyter-server",
        )
    return None
