"""Which language somebody is spoken to in: chosen, asked for by the browser, or the site's. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

MAX_LENGTH = 500
"""Characters of a browser's header that are looked at."""

NEAR = {"no": "nb", "nn": "nb"}
"""Languages whose readers rather read another one than English."""


def preferred(offered: Sequence[str], chosen: str | None, asked: str, default: str) -> str:
    """One of the languages on offer.

    ``chosen`` is the person's own choice, if any, ``asked`` the browser's header Accept-Language; ``default``
    holds where neither names a language on offer.
    """
    if chosen in offered:
        return str(chosen)
    for tag in _by_quality(asked[:MAX_LENGTH]):
        for candidate in (tag, tag.partition("-")[0]):
            found = _offered(candidate, offered) or _offered(NEAR.get(candidate, ""), offered)
            if found:
                return found
    return default


def _offered(tag: str, offered: Sequence[str]) -> str:
    return next((each for each in offered if each.lower() == tag), "")


def _by_quality(header: str) -> Iterator[str]:
    """The tags of Accept-Language in lower case, the most wanted first (RFC 9110, 12.5.4)."""
    found = []
    for part in header.split(","):
        tag, _, parameter = part.strip().lower().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if tag and quality > 0:
            found.append((quality, tag.strip()))
    found.sort(key=lambda each: -each[0])
    return (tag for _, tag in found)
