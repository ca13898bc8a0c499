"""The state file: what `up` made, written before it is made, so that `down` finds it after any crash."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from .layout import DATA

STATE_FILE = DATA / "state.json"


@dataclass
class State:
    """What there is. Process ids count only together with a live process that has the cluster's marker."""

    hosts: dict[str, int] = field(default_factory=dict)
    """Host -> process id of its process 1 as the machine sees it."""
    namespaces: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)
    """Directories outside of the data directory that were not there before, outermost first."""
    cgroups: list[str] = field(default_factory=list)
    """Control groups of the nodes; empty where Slurm cannot use any here."""
    forwarder: int = 0
    port: int = 0
    """Port of the machine's loopback that leads to the hub."""
    complete: bool = False
    """Whether `up` came to its end."""

    def save(self) -> None:
        """Replace the file at once, never by halves."""
        DATA.mkdir(parents=True, exist_ok=True)
        fresh = STATE_FILE.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self), indent=2))
        fresh.replace(STATE_FILE)


def load() -> State:
    """The recorded state; an empty one where there is none."""
    try:
        return State(**json.loads(STATE_FILE.read_text()))
    except FileNotFoundError:
        return State()
