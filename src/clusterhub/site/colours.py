"""Colours of a site's own, as far as people can see them."""

from __future__ import annotations

import re

from clusterhub.site.kinds import Kind, text_of
from clusterhub.site.quantities import Refused, quoted

LEAST_CONTRAST = 3.0
"""Of a control against what is around it (WCAG 2.2, 1.4.11)."""
LIGHT_PAGE, DARK_PAGE = "#ffffff", "#212529"
"""What Bootstrap's pages are like (--bs-body-bg)."""
SRGB_KNEE = 0.04045
"""Where sRGB's curve begins (IEC 61966-2-1)."""
BLACK, WHITE = "#000000", "#ffffff"

_ALLOWED = 'a colour as red, green and blue in hexadecimal, such as "#00558c"'


def contrast(one: str, other: str) -> float:
    """From 1 to 21, as WCAG 2.2 defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def readable_on(colour: str) -> str:
    """Black or white, whichever is read better on that; its contrast is 4.58 at least."""
    return max(BLACK, WHITE, key=lambda each: contrast(each, colour))


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= SRGB_KNEE else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _kind(page: str, name: str) -> Kind:
    def read(given: object) -> str:
        text = text_of(given, "a colour", _ALLOWED)
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
            raise Refused(f"{quoted(text)} is not a colour", _ALLOWED)
        found = contrast(text, page)
        if found < LEAST_CONTRAST:
            raise Refused(
                f"{quoted(text)} has a contrast of {found:.1f} to a {name} page",
                f"a colour with a contrast of {LEAST_CONTRAST:.0f} to {page} at least",
            )
        return text.lower()

    return Kind("colour", read, {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"})


COLOUR = _kind(LIGHT_PAGE, "white")
COLOUR_IN_THE_DARK = _kind(DARK_PAGE, "dark")
