"""What `announcements.toml` can say: what operators tell everybody, and for how long."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from clusterhub.site.documents import Document, tables_of, text_of, without_marks
from clusterhub.site.kinds import LINE, Kind, ListOf, one_of, shown
from clusterhub.site.kinds import text_of as text_given
from clusterhub.site.problems import FileError, Problem
from clusterhub.site.quantities import Refused, quoted
from clusterhub.site.section import Section, key

LEVEL = one_of("a level", "info", "warning", "danger")

_MOMENT_ALLOWED = "a time without quotes, such as 2026-12-01T08:00:00+01:00, or 2026-12-01T08:00:00 for here"
_LINK_ALLOWED = 'the address of a page, such as "https://status.example.org"'
_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"


def _read_moment(given: object) -> datetime:
    if isinstance(given, datetime):
        # One without a zone is of this machine's.
        return given.astimezone() if given.tzinfo is None else given
    if isinstance(given, date):
        return datetime.combine(given, time()).astimezone()
    hint = ": write it without the quotes" if isinstance(given, str) else ""
    raise Refused(f"{shown(given)} is not a time{hint}", _MOMENT_ALLOWED)


def _read_link(given: object) -> str:
    text = text_given(given, "the address of a page", _LINK_ALLOWED)
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable():
        raise Refused(f"{quoted(text)} is not the address of a page", _LINK_ALLOWED)
    return text


MOMENT = Kind("time", _read_moment, {"type": "string", "pattern": _PATTERN})
LINK = Kind("URL", _read_link, {"type": "string", "pattern": "^https?://"})


class Announcement(Section):
    """One thing that the hub's pages tell everybody, also before they log in."""

    heading: ClassVar[str] = "[[announcement]]"
    about: ClassVar[str] = (
        "One thing to tell; as many tables as there are things. The first is the first on the page."
    )

    text: Annotated[str, LINE] = key(
        "What is told. It is text, not HTML.", example="The cluster is upgraded on Tuesday."
    )
    level: Annotated[Literal["info", "warning", "danger"], LEVEL] = key(
        "How it looks: `info`, `warning`, or `danger` for what cannot wait.",
        example="warning",
        default="info",
    )
    link: Annotated[str, LINK] | None = key(
        "A page that says more.", example="https://status.example.org", default=None
    )
    begins: Annotated[datetime, MOMENT] | None = key(
        "From when on it is told.",
        example=datetime.fromisoformat("2026-12-01T08:00:00+01:00"),
        default=None,
        derived="at once",
    )
    ends: Annotated[datetime, MOMENT] | None = key(
        "When it vanishes.",
        example=datetime.fromisoformat("2026-12-02T18:00:00+01:00"),
        default=None,
        derived="until it is taken out",
    )

    def holds(self, now: datetime) -> bool:
        """Whether it is told at that time."""
        return (self.begins is None or self.begins <= now) and (self.ends is None or now < self.ends)


class Announcements(Section):
    """All that an announcements file can say."""

    heading: ClassVar[str] = "announcements.toml"

    announcements: Annotated[
        tuple[Announcement, ...],
        ListOf("tables", "a table [[announcement]], with two brackets, for each", may_be_empty=True),
    ] = key("What is told.", example=[{"text": "Welcome."}], alias="announcement", default=())


class AnnouncementsError(FileError):
    """An announcements file that cannot be used."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        super().__init__(
            path, problems, next="mend the file; until then the pages go on telling what it said before"
        )


ANNOUNCEMENTS_FILE = Document(
    "announcements file", "announcements.toml", "write it, or go without", AnnouncementsError
)


def load(path: Path) -> tuple[Announcement, ...]:
    """What a file tells. Raises `AnnouncementsError`, and `ClusterhubError` where it cannot be read."""
    return parse(text_of(path, ANNOUNCEMENTS_FILE), path)


def parse(text: str, path: Path) -> tuple[Announcement, ...]:
    """What a text tells; ``path`` is where it is from. Raises `AnnouncementsError`."""
    text = without_marks(text)
    data = tables_of(text, path, ANNOUNCEMENTS_FILE)
    try:
        return Announcements.model_validate(data).announcements
    except ValidationError as error:
        from clusterhub.site.mistakes import problems_in

        raise AnnouncementsError(path, problems_in(text, data, error, root=Announcements)) from None
