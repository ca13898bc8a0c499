"""The catalogues of translations: ours, and what a site adds to them or says in its own words.

They are gettext's ``.po`` files, read when the hub starts: nobody has to compile them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.support import NullTranslations, Translations

from clusterhub.errors import ClusterhubError

log = logging.getLogger("clusterhub")

OURS = Path(__file__).parent / "catalogues"
SOURCE = "en"
"""The language of the sentences in the code: it has no catalogue, but a site may have one of its own."""

_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|\{\w*\}")


@dataclass(frozen=True)
class Catalogue:
    """A language, with the translations that there are."""

    language: str
    translations: NullTranslations
    of_scripts: Mapping[str, str]
    """What JavaScript says, translated."""

    def gettext(self, message: str) -> str:
        """The message in this language, or itself."""
        return str(self.translations.gettext(message)) if message else ""

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The same with the form that goes with a number."""
        return str(self.translations.ngettext(one, many, count))

    @property
    def name(self) -> str:
        """What those who speak it call it."""
        name = Locale.parse(self.language, sep="-").get_display_name() or self.language
        return name[:1].upper() + name[1:]


def read_catalogues(own: Path | None = None) -> Mapping[str, Catalogue]:
    """Every language that there is, by its code; ``own`` is the site's directory of ``.po`` files.

    Raises ClusterhubError where one of those cannot be read.
    """
    ours = {path.stem: _read(path) for path in sorted(OURS.glob("*.po"))}
    theirs = {path.stem: _read(path) for path in sorted(own.glob("*.po"))} if own is not None else {}
    of_scripts = {str(each.id) for catalog in ours.values() for each in catalog if _is_of_script(each)}
    return {
        language: _catalogue(language, ours.get(language), theirs.get(language), of_scripts)
        for language in sorted({SOURCE, *ours, *theirs})
    }


def placeholders(pattern: str) -> list[str]:
    """The values that stand in a message, sorted."""
    return sorted(_PLACEHOLDER.findall(pattern))


def mistakes(message: Message) -> Iterator[str]:
    """What keeps a translation from being used."""
    ids, strings = _forms(message.id), _forms(message.string)
    if not all(strings):
        yield "it is not translated"
        return
    if message.fuzzy:
        yield "it is marked as fuzzy"
    for number, string in enumerate(strings):
        # In the singular a language may write the number as a word.
        wanted, found = placeholders(ids[-1]), placeholders(string)
        if found != wanted and not (number == 0 and found == placeholders(ids[0])):
            yield f"its values are {' '.join(found) or 'none'}, not {' '.join(wanted) or 'none'}"


def _forms(text: str | Sequence[str] | None) -> Sequence[str]:
    """The forms of a message for numbers; mostly one."""
    return (text or "",) if text is None or isinstance(text, str) else text


def _read(path: Path) -> Catalog:
    try:
        Locale.parse(path.stem, sep="-")
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.stem.replace("-", "_"), abort_invalid=True)
    except (OSError, PoFileError, UnknownLocaleError, ValueError) as error:
        raise ClusterhubError(
            f"The catalogue of translations cannot be read: {error}.",
            where=str(path),
            next="Name it LANGUAGE.po, such as fr.po, and check it with msgfmt --check.",
        ) from None
    for message in list(catalog):
        found = list(mistakes(message)) if message.id else []
        if found:
            if any(_forms(message.string)) and path.parent != OURS:
                log.warning("%s: %r is left out: %s", path, message.id, "; ".join(found))
            catalog.delete(message.id, message.context)
    return catalog


def _is_of_script(message: Message) -> bool:
    return isinstance(message.id, str) and any(path.endswith(".js") for path, _ in message.locations)


def _catalogue(language: str, ours: Catalog | None, own: Catalog | None, of_scripts: set[str]) -> Catalogue:
    translations: NullTranslations = NullTranslations()
    for catalog in (own, ours):
        if catalog is None:
            continue
        compiled = BytesIO()
        write_mo(compiled, catalog)
        compiled.seek(0)
        read = Translations(compiled)
        if isinstance(translations, Translations):
            translations.add_fallback(read)
        else:
            translations = read
    told = {each: str(translations.gettext(each)) for each in sorted(of_scripts)}
    changed = {each: said for each, said in told.items() if said != each}
    return Catalogue(language, translations, changed)
