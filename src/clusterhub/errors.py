"""The errors that reach a person: each says what happened, where, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """Three parts of a message to a person, and the last lines of a log where there is one."""

    what: str
    where: str = ""
    next: str = ""
    log: tuple[str, ...] = ()

    def as_text(self) -> str:
        """The message as lines for a terminal."""
        lines = [self.what[:1].upper() + self.what[1:]]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.next:
            lines.append(f"  what to do: {self.next}")
        if self.log:
            lines.append("  last lines of the log:")
            lines.extend(f"    {line}" for line in self.log)
        return "\n".join(lines)


class ClusterhubError(Exception):
    """An error with an explanation; one place each turns it into a page, a JSON body or a terminal's text."""

    def __init__(self, what: str, *, where: str = "", next: str = "", log: tuple[str, ...] = ()) -> None:  # noqa: A002 - the word of the three-part rule
        super().__init__(what)
        self.explanation = Explanation(what, where, next, log)

    def __str__(self) -> str:
        return self.explanation.as_text()
