"""What every table of site.toml has in common, and how one of its keys is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

REQUIRED: Any = ...
UNSET = Path()
"""A path that follows from others."""


class Section(BaseModel):
    """One table of site.toml. Unknown keys are refused; values cannot be changed once they are read.

    No key holds a secret: what must stay secret belongs in a file of its own that site.toml names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    heading: ClassVar[str] = ""
    """How the table is written in the file, such as ``[hub]``; empty where it is part of another."""
    about: ClassVar[str] = ""
    """What the table is for, in a sentence or two of Markdown."""


def key(
    description: str, *, example: object, default: Any = REQUIRED, derived: str = "", alias: str = ""
) -> Any:
    """Declare a key.

    ``derived`` says in words what holds where the key is absent and the value follows from others.
    """
    extra: dict[str, Any] = {"x-default": derived} if derived else {}
    return Field(
        default,
        alias=alias or None,
        description=description,
        examples=[example],
        json_schema_extra=extra or None,
    )
