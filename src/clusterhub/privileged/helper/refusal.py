"""The one error of the helper's own, and how the operating system's become it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


class Refused(Exception):
    """The request is not carried out.

    ``kind`` is "refused" (nothing was done), "missing" (nor is there anything to do it to), "failed" (it was
    tried) or "internal" (nobody knows).
    """

    def __init__(self, what: str, where: str = "", next_step: str = "", kind: str = "refused") -> None:
        super().__init__(what)
        self.what, self.where, self.next_step, self.kind = what, where, next_step, kind

    def reply(self) -> dict[str, Any]:
        """The error as it goes to the hub."""
        parts = {"what": self.what, "where": self.where, "next": self.next_step, "kind": self.kind}
        return {"error": parts}


@contextlib.contextmanager
def refused_with(what: str, where: str, next_step: str = "", kind: str = "refused") -> Iterator[None]:
    """An OSError inside becomes `Refused`, with the system's reason after ``what``."""
    try:
        yield
    except OSError as error:
        raise Refused(f"{what}: {error.strerror}", where, next_step, kind) from None
