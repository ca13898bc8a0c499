"""A sentence of ours: English as it stands in the code, translated where a person reads it.

A sentence is made by whoever knows what happened and told later, to somebody else, or written to a log: so it
is a string, in English, that also remembers what it was made of.

    raise ClusterhubError(_("There is no profile {name}.").format(name=name))

What joins strings in another way (an f-string, ``join``) makes a plain string, which stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol


class Translations(Protocol):
    """What a catalogue can do (`clusterhub.languages.catalogues.Catalogue`)."""

    @property
    def language(self) -> str:
        """Its code, such as "fi"."""

    def gettext(self, message: str, /) -> str:
        """The message in the catalogue's language; itself where it is not in the catalogue."""

    def ngettext(self, one: str, many: str, count: int, /) -> str:
        """The same with the form that goes with a number."""


CURRENT: ContextVar[Translations | None] = ContextVar("clusterhub-translations", default=None)
"""The language of whoever asks; None for English, which needs no catalogue."""


class Text(str):
    """A sentence, in English as a string, with its message in the catalogues and the values in it."""

    __slots__ = ("arguments", "keywords", "many", "message", "number")

    message: str
    many: str
    """The message for a number other than one, where it depends on a number."""
    number: int | None
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]

    def __new__(cls, english: str) -> Text:
        """A sentence without values, which `format` puts in."""
        made = super().__new__(cls, english)
        made.message, made.many, made.number, made.arguments, made.keywords = str(english), "", None, (), {}
        return made

    def format(self, *arguments: Any, **keywords: Any) -> Text:
        """The sentence with these values; those that are sentences are translated along with it."""
        pattern = self.message if self.number in (None, 1) else self.many
        made = Text(pattern.format(*arguments, **keywords))
        made.message, made.many, made.number = self.message, self.many, self.number
        made.arguments, made.keywords = arguments, keywords
        return made

    def __add__(self, other: str) -> Text:
        return Text("{}{}").format(self, other)

    def __radd__(self, other: str) -> Text:
        return Text("{}{}").format(other, self)

    def __deepcopy__(self, memo: object) -> Text:
        return self

    def __copy__(self) -> Text:
        return self

    def told(self, translations: Translations) -> str:
        """In the language of a catalogue."""
        if self.number is None:
            pattern = translations.gettext(self.message)
        else:
            pattern = translations.ngettext(self.message, self.many, self.number)
        if not self.arguments and not self.keywords:
            return pattern
        return pattern.format(
            *(_told(each, translations) for each in self.arguments),
            **{name: _told(each, translations) for name, each in self.keywords.items()},
        )


def _(english: str) -> Text:
    """Marks a sentence for the catalogues; values stand in it as ``{name}`` and are put in by `format`."""
    return Text(english)


def counted(one: str, many: str, count: int, **keywords: Any) -> Text:
    """A sentence that depends on a number, which ``{count}`` stands for, with its other values."""
    made = Text(one)
    made.many, made.number = many, count
    return made.format(count=count, **keywords)


def joined(parts: Iterable[str], separator: str = " ") -> Text:
    """The parts one after the other, each translated by itself."""
    parts = list(parts)
    return Text(separator.join(["{}"] * len(parts))).format(*parts)


def told(text: str) -> str:
    """The text in the language of whoever asks, as far as it is a sentence of ours."""
    translations = CURRENT.get()
    return str(text) if translations is None else _told(text, translations)


def _told(value: Any, translations: Translations) -> Any:
    return value.told(translations) if isinstance(value, Text) else value


def as_record(text: str) -> Any:
    """A text as JSON has it, that `from_record` can read: translated also after it was stored."""
    if not isinstance(text, Text):
        return text
    return {
        "message": text.message,
        "many": text.many,
        "number": text.number,
        "arguments": [as_record(each) for each in text.arguments],
        "keywords": {name: as_record(each) for name, each in text.keywords.items()},
    }


def from_record(record: Any) -> Any:
    """What `as_record` made. Raises KeyError, TypeError or ValueError for anything else."""
    if not isinstance(record, dict):
        return record
    made = Text(record["message"])
    made.many, made.number = record["many"], record["number"]
    arguments = [from_record(each) for each in record["arguments"]]
    keywords = {name: from_record(each) for name, each in record["keywords"].items()}
    return made.format(*arguments, **keywords) if arguments or keywords else made
