"""The site's own face on every page: its title, logo, colours, texts and links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clusterhub.errors import ClusterhubError
from clusterhub.languages.text import Text
from clusterhub.site.colours import WHITE, readable_on
from clusterhub.site.pages import Link, Pages
from clusterhub.site.schema import Site

LOGO_KINDS = {".png", ".svg"}
OWN_COLOUR, OWN_READABLE = "#f37524", "#000000"
"""JupyterHub's orange, on which it writes in white, that few can read (2.9 to 1)."""


@dataclass(frozen=True)
class Face:
    """What templates show of it. Its texts may be in the site's catalogues, and are then translated."""

    title: str
    colours: Mapping[str, Mapping[str, str]]
    """The variables of style sheets, in light and in dark."""
    login_text: Sequence[str]
    """Paragraphs, as the two below."""
    start_text: Sequence[str]
    footer: str
    help: str
    links: Sequence[Link]


def face_of(site: Site) -> Face:
    """Raises ClusterhubError where the logo's file is no picture that browsers are told of."""
    pages = site.pages
    if pages.logo is not None and (pages.logo.suffix not in LOGO_KINDS or not pages.logo.is_file()):
        raise ClusterhubError(
            f"The logo {pages.logo} is not a file that ends in .png or .svg.",
            where=f"{site.path}: [pages] logo",
            next="Name a PNG or SVG file that the hub's account can read.",
        )
    return Face(
        title=pages.title,
        colours=_colours(pages),
        login_text=_paragraphs(pages.login_text),
        start_text=_paragraphs(pages.start_text),
        footer=Text(pages.footer or ""),
        help=pages.help or "",
        links=pages.links,
    )


def _paragraphs(text: str) -> Sequence[str]:
    return tuple(Text(" ".join(part.split())) for part in text.split("\n\n") if part.strip())


def _colours(pages: Pages) -> Mapping[str, Mapping[str, str]]:
    return {
        "light": _variables(pages.colour or OWN_COLOUR),
        "dark": _variables(pages.colour_in_the_dark or OWN_COLOUR),
    }


def _variables(colour: str) -> Mapping[str, str]:
    readable = readable_on(colour)
    red, green, blue = (str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))
    return {
        "--clusterhub-colour": colour,
        "--clusterhub-on-colour": readable,
        # Away from what is written on it, so that it can be read better still.
        "--clusterhub-colour-pressed": "#000000" if readable == WHITE else "#ffffff",
        "--bs-primary": colour,
        "--bs-primary-rgb": f"{red}, {green}, {blue}",
    }
