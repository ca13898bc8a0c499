"""How site.toml names the environments that sessions may run in: by name, or by path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from clusterhub.site.addresses import PATH
from clusterhub.site.kinds import SLUG, Kind, ListOf, text_of

CURRENT = "current"
"""What is active: the path of `[environment]` itself."""
PREVIOUS = "previous"
"""What was active before: a link beside it, which activating and rolling back turn."""

_ALLOWED = (
    'a version that lies beside the path of [environment], such as "2026-11-23", "current" or "previous", or '
    "the path of an environment"
)
MOST = 32


def _read(given: object) -> str:
    text = text_of(given, "an environment", _ALLOWED)
    return str(PATH.read(text) if text.startswith("/") else SLUG.read(text))


VERSION = Kind("name or path", _read, {"type": "string", "minLength": 1})
Versions = Annotated[
    tuple[Annotated[str, VERSION], ...],
    ListOf(
        "name, path, or a list",
        'one of them, or a list such as ["current", "previous"]',
        single=True,
        most=MOST,
    ),
]


def path_of(version: str, current: Path) -> Path:
    """Where that version lies; ``current`` is the path of `[environment]`. A path may be a link."""
    if version.startswith("/"):
        return Path(version)
    return current if version == CURRENT else current.parent / version
