"""The one error of the helper's own."""

from __future__ import annotations

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
