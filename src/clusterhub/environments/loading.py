"""From a file to a `Specification`, or to everything that is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from clusterhub.environments.schema import Specification
from clusterhub.site.documents import Document, tables_of, text_of, without_marks
from clusterhub.site.problems import FileError, Problem


class SpecificationError(FileError):
    """An environment file that cannot be used."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        super().__init__(path, problems, next="mend the file, then build again")


ENVIRONMENT_FILE = Document(
    "environment file",
    "environment.toml",
    "write it, or leave it out to build the default list",
    SpecificationError,
)


def load(path: Path) -> Specification:
    """What a file describes.

    Raises `SpecificationError` with all mistakes in the file, `ClusterhubError` where it cannot be read.
    """
    return parse(text_of(path, ENVIRONMENT_FILE), path)


def parse(text: str, path: Path) -> Specification:
    """What a text describes; ``path`` is where it is from. Raises `SpecificationError`."""
    text = without_marks(text)
    data = tables_of(text, path, ENVIRONMENT_FILE)
    try:
        specification = Specification.model_validate(data)
    except ValidationError as error:
        from clusterhub.site.mistakes import problems_in

        raise SpecificationError(path, problems_in(text, data, error, root=Specification)) from None
    specification._text = text
    return specification
