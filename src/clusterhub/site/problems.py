"""What is wrong with a file, as an operator reads it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clusterhub.errors import ClusterhubError

WIDTH = 80
_LONGEST_SOURCE = 66
_BEFORE_COLUMN = 30


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake. Line and column count from 1; 0 where the mistake is about the file as a whole."""

    line: int
    column: int
    key: str
    """The key as a person would name it, such as ``time.max in [[profile]] "gpu"``; may be empty."""
    message: str
    allowed: str = ""
    source: str = ""
    """The line of the file."""
    width: int = 1
    """How many characters from the column on are meant."""

    def as_text(self, path: Path) -> str:
        """The mistake in lines of at most 80 columns (a long path aside)."""
        place = f"{path}:{self.line}:{self.column}" if self.line else str(path)
        lines = [f"{place}:", *_wrapped(f"{self.key}: {self.message}" if self.key else self.message, "  ")]
        if self.source.strip():
            lines += self._quotation()
        if self.allowed:
            lines += _wrapped(f"allowed: {self.allowed}", "  ")
        return "\n".join(lines)

    def _quotation(self) -> list[str]:
        # A tab is one column to us and several to a terminal.
        source = self.source.replace("\t", " ")
        start = 0
        if len(source) > _LONGEST_SOURCE:
            start = max(0, min(self.column - 1 - _BEFORE_COLUMN, len(source) - _LONGEST_SOURCE))
        cut = source[start : start + _LONGEST_SOURCE]
        offset = self.column - 1 - start
        carets = "^" * max(1, min(self.width, len(cut) - offset))
        return [f"  {self.line:>5} | {cut.rstrip()}", f"        | {' ' * offset}{carets}"]


class FileError(ClusterhubError):
    """A file that cannot be used, with everything that is wrong with it, in the order of its lines."""

    def __init__(self, path: Path, problems: Iterable[Problem], *, next: str) -> None:  # noqa: A002 - the word of the three-part rule
        self.path = path
        self.problems = tuple(sorted(set(problems)))
        count = "one mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
        text = "\n\n".join(problem.as_text(path) for problem in self.problems)
        super().__init__(f"{text}\n\n{path.name} has {count}.", next=next)


class SiteError(FileError):
    """A site file that cannot be used."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        super().__init__(path, problems, next="mend the file, then run: clusterhub config check")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
