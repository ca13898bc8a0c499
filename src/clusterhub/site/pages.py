"""The table of site.toml about what people see: `[pages]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from clusterhub.site.addresses import PATH
from clusterhub.site.kinds import ListOf, matching
from clusterhub.site.section import Section, key

LANGUAGE = matching(
    "a language",
    r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?",
    'the code of a language, such as "fi", or "pt-BR"',
)


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
