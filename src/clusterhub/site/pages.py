"""The table of site.toml about what people see: `[pages]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from clusterhub.site.addresses import PATH
from clusterhub.site.colours import COLOUR, COLOUR_IN_THE_DARK
from clusterhub.site.kinds import LINE, LINES, Kind, ListOf, matching, text_of
from clusterhub.site.quantities import Refused, quoted
from clusterhub.site.section import Section, key

LANGUAGE = matching(
    "a language",
    r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?",
    'the code of a language, such as "fi", or "pt-BR"',
)

_LINK_ALLOWED = (
    'an address such as "https://docs.example.org", "mailto:help@example.org" or "/files/help.html"'
)


def _read_link(given: object) -> str:
    text = text_of(given, "an address", _LINK_ALLOWED)
    if not text.isprintable() or set(text) & set(' "<>\\'):
        raise Refused(f"{quoted(text)} has characters that no address has", _LINK_ALLOWED)
    own = text.startswith("/") and not text.startswith("//")
    if not own and not text.startswith(("https://", "http://", "mailto:")):
        raise Refused(f"{quoted(text)} is not an address that a link may have", _LINK_ALLOWED)
    return text


LINK = Kind("address of a page", _read_link, {"type": "string", "pattern": "^(https?://|mailto:|/)"})


class Link(Section):
    """A link at the foot of each page."""

    name: Annotated[str, LINE] = key("What it is called.", example="Documentation")
    url: Annotated[str, LINK] = key("Where it leads.", example="https://docs.example.org")


class Pages(Section):
    """The hub's pages: which languages they speak, and whose they are."""

    heading: ClassVar[str] = "[pages]"
    about: ClassVar[str] = "What people see on the hub's pages. May be left out."

    languages: Annotated[
        tuple[Annotated[str, LANGUAGE], ...], ListOf("list of languages", 'a list such as ["en", "fi"]')
    ] = key(
        "The languages that people can choose from; there are `da`, `en`, `fi`, `nb` and `sv`, and those in "
        "`translations`. With one, the pages are in that and there is nothing to choose.",
        example=["en", "fi", "sv"],
        default=(),
        derived="all that there are",
    )
    language: Annotated[str, LANGUAGE] = key(
        "The language for browsers that ask for none of `languages`.",
        example="fi",
        default="en",
        derived="`en`; or the first of `languages`, where that has no `en`",
    )
    translations: Annotated[Path, PATH] | None = key(
        "A directory with translations of the site's own, `LANGUAGE.po`: further languages, or other words "
        "than ours.",
        example="/etc/clusterhub/translations",
        default=None,
    )
    title: Annotated[str, LINE] = key(
        "What browsers show as the pages' title, and readers of screens for the logo.",
        example="Jupyter at Example University",
        default="JupyterHub",
    )
    logo: Annotated[Path, PATH] | None = key(
        "The file with the site's logo, as PNG or SVG, which the hub's account must be able to read. It is "
        "shown 28 pixels high.",
        example="/etc/clusterhub/logo.svg",
        default=None,
        derived="JupyterHub's",
    )
    colour: Annotated[str, COLOUR] | None = key(
        "The colour of the buttons and of what is chosen. What is written on it is black or white, whichever "
        "can be read better. It must stand out from a white page.",
        example="#00558c",
        default=None,
        derived="JupyterHub's orange",
    )
    colour_in_the_dark: Annotated[str, COLOUR_IN_THE_DARK] | None = key(
        "The same where people have it dark. It must stand out from a dark page.",
        example="#4db2ff",
        default=None,
        derived="JupyterHub's orange",
    )
    login_text: Annotated[str, LINES] = key(
        "What stands above the form to log in, as plain text: who may log in, and where to get an account.",
        example="Log in with your account on the cluster.",
        default="",
    )
    start_text: Annotated[str, LINES] = key(
        "What stands above the profiles on the start page, as plain text.",
        example="Courses: choose the profile with the name of yours.",
        default="",
    )
    footer: Annotated[str, LINE] | None = key(
        "What stands at the foot of each page.", example="Example University, IT services", default=None
    )
    help: Annotated[str, LINK] | None = key(
        "Where people find help: a link in the bar of each page.",
        example="https://docs.example.org/jupyter",
        default=None,
    )
    links: Annotated[tuple[Link, ...], ListOf("list of links", "a list of tables", may_be_empty=True)] = key(
        "Links at the foot of each page, such as a privacy notice.",
        example=[{"name": "Privacy", "url": "https://example.org/privacy"}],
        default=(),
    )
