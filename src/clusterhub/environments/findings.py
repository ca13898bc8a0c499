"""What a look at an environment found, each with its remedy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (``error``: sessions fail) or could be better (``warning``)."""

    check: str
    """Which of the checks found it, in a word or two, such as ``reach``."""
    severity: Literal["error", "warning"]
    what: str
    where: str = ""
    next: str = ""

    def as_text(self) -> str:
        """The finding as lines for a terminal."""
        lines = [f"{self.severity}: {self.check}: {self.what}"]
        lines += [f"  where: {self.where}"] if self.where else []
        lines += [f"  what to do: {self.next}"] if self.next else []
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return asdict(self)


def error(check: str, what: str, *, where: object = "", next: str = "") -> Finding:  # noqa: A002 - the word of the three-part rule
    """A finding because of which sessions fail."""
    return Finding(check, "error", what, str(where), next)


def warning(check: str, what: str, *, where: object = "", next: str = "") -> Finding:  # noqa: A002 - as above
    """A finding with which sessions run."""
    return Finding(check, "warning", what, str(where), next)
