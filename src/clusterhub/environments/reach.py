"""Whether every account can come to a file: each directory on the way, through every link, and the file."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_LINKS = 40
"""As many as Linux follows in one path."""

_ENTER, _READ = stat.S_IXOTH, stat.S_IROTH


@dataclass(frozen=True)
class Obstacle:
    """What keeps other accounts from a file."""

    path: Path
    what: str
    remedy: str


def obstacles(path: Path) -> list[Obstacle]:
    """Everything that keeps an account which owns nothing there, and is in no group, from using that path.

    A directory at its end has to be readable, too, and a program executable. Modes only: an ACL that lets
    more people in is not looked at.
    """
    found: dict[Path, Obstacle] = {}
    steps = list(_steps(path))
    for step in steps:
        if isinstance(step, Obstacle):
            found[step.path] = step
        elif step not in found and (obstacle := _closed(step, is_end=step == steps[-1])):
            found[step] = obstacle
    return list(found.values())


def _closed(path: Path, *, is_end: bool) -> Obstacle | None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        lacks = [] if mode & _ENTER else ["x"]
        lacks += ["r"] if is_end and not mode & _READ else []
        what = "other accounts cannot enter this directory" if "x" in lacks else "nor can they list it"
        if lacks == ["r"]:
            what = "other accounts cannot list this directory"
    else:
        lacks = [] if mode & _READ else ["r"]
        lacks += ["x"] if mode & stat.S_IXUSR and not mode & _ENTER else []
        what = f"other accounts cannot {'run' if 'x' in lacks else 'read'} this file"
    if not lacks:
        return None
    return Obstacle(path, what, f"chmod o+{''.join(sorted(lacks))} {path}")


def _steps(path: Path) -> Iterator[Path | Obstacle]:
    """Every directory that is entered on the way, then the end, links followed as the kernel does."""
    here = Path("/")
    yield here
    rest = deque(path.absolute().parts[1:])
    links = 0
    while rest:
        name = rest.popleft()
        if name == "..":
            here = here.parent
            continue
        here = here / name
        try:
            is_link = here.is_symlink()
            here.lstat()
        except OSError as error:
            yield Obstacle(here, f"this cannot be looked at: {error.strerror}", "see what the path leads to")
            return
        if is_link:
            links += 1
            if links > MOST_LINKS:
                yield Obstacle(here, "the links lead round in a circle", "see what the path leads to")
                return
            target = Path(os.readlink(here))  # noqa: PTH115 - the text, which may go through links itself
            here = Path("/") if target.is_absolute() else here.parent
            rest.extendleft(reversed([part for part in target.parts if part != "/"]))
            continue
        yield here
