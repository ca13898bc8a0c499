"""Which operations of a start reach the file systems that nodes share: read from what strace has written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

CALLS = ("%file", "getdents64", "clone", "clone3", "fork", "vfork", "unshare", "setns", "mount")
OPTIONS = ("-f", "-qq", "-y", "-e", f"trace={','.join(CALLS)}", "-e", "signal=none")
"""Of strace: every call that takes a path, the reading of directories, and what decides who sees a mount."""

_LINE = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)$")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DIRECTORY = re.compile(r"^(?:AT_FDCWD|\d+)<([^>]*)>")
_CHILD = re.compile(r"= (\d+)")
_FORKS = ("clone", "clone3", "fork", "vfork")


@dataclass
class Trace:
    """Operations on some directories; below an image that is mounted over one of them none reaches it."""

    directories: Sequence[str]
    covered: str
    """The directory over which the image is mounted, by its true path."""
    operations: list[str] = field(default_factory=list)
    """What reached them: call and path."""
    _space: dict[str, int] = field(default_factory=dict)
    """Process -> the mount namespace that it or a parent of it has made or entered; 0 for the node's own."""
    _spaces: int = 0
    _with_image: set[int] = field(default_factory=set)

    def read(self, lines: Iterable[str]) -> None:
        """Take in what strace wrote, in its order."""
        calls = [(found, "resumed>" in line) for line in lines if (found := _LINE.match(line))]
        # What a child does may be written before the call that made it returns.
        parents = {
            child[1]: found[1]
            for found, _ in calls
            if found[2] in _FORKS and (child := _CHILD.search(found[3].rpartition(")")[2]))
        }
        for found, resumed in calls:
            if found[1] not in self._space:
                self._space[found[1]] = self._space.get(parents.get(found[1], ""), 0)
            self._call(*found.groups(), resumed=resumed)

    def _call(self, process: str, call: str, rest: str, *, resumed: bool) -> None:
        if call == "unshare" and "CLONE_NEWNS" in rest:
            self._spaces += 1
            self._space[process] = self._spaces
        elif call == "setns" and "CLONE_NEWNS" in rest:
            # The only one that is entered is the one that a session has made.
            self._space[process] = self._spaces
        if resumed:
            return  # its path stood where it began
        path = self._path(call, rest)
        if self._reaches(process, path):
            self.operations.append(f"{call} {path}")
        if call == "mount" and f'"{self.covered}"' in rest and self._space[process]:
            self._with_image.add(self._space[process])

    @staticmethod
    def _path(call: str, rest: str) -> str:
        """The path that a call names; empty where it names none, as where only its descriptor counts."""
        directory, text = _DIRECTORY.match(rest), _STRING.search(rest)
        if call == "getdents64":
            return directory[1] if directory else ""
        if text is None or not text[1]:
            return ""
        if call in ("mount", "getcwd"):  # the one is made up of what is there, the other is the kernel's own
            return ""
        if call.startswith("symlink"):  # what it will say comes first, and is no path to anything yet
            return str(_STRING.findall(rest)[-1])
        return text[1] if text[1].startswith("/") or directory is None else f"{directory[1]}/{text[1]}"

    def _reaches(self, process: str, path: str) -> bool:
        if not any(path == each or path.startswith(f"{each}/") for each in self.directories):
            return False
        inside = path == self.covered or path.startswith(f"{self.covered}/")
        return not (inside and self._space[process] in self._with_image)
