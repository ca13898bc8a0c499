"""Everything that `environment.toml` can say. `clusterhub.environments.loading` makes it from a file."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import PrivateAttr, model_validator

from clusterhub.environments.curated import LISTS, name_of, requirements
from clusterhub.site.addresses import PATH
from clusterhub.site.kinds import LINE, SLUG, Kind, ListOf, matching, one_of, shown, text_of
from clusterhub.site.quantities import Refused, quoted
from clusterhub.site.section import Section, key

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_BOUND = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+"
REQUIREMENT = matching(
    "a package",
    rf"{_NAME}(?:\[[A-Za-z0-9._, -]*\])?(?:\s*{_BOUND}(?:\s*,\s*{_BOUND})*)?(?:\s*;[^\n;]+)?",
    'a name as pip takes it, with versions where you like, such as "numpy" or "scipy>=1.14,<2"',
)
PACKAGE = matching("the name of a package", _NAME, 'a name, such as "jupyterlab-git"')
INCLUDE = one_of("a list of ours", *LISTS)
_VERSION = matching("a version of Python", r"3\.[0-9]{1,2}(?:\.[0-9]{1,2})?", "")
_PYTHON_ALLOWED = 'a version, such as "3.12", or the path of an interpreter, such as "/usr/bin/python3"'
_INDEX_ALLOWED = 'the URL of a package index, such as "https://mirror.example.org/simple"'


def _read_python(given: object) -> str:
    text = text_of(given, "a Python", _PYTHON_ALLOWED)
    if text.startswith("/"):
        return "/" + posixpath.normpath(text).lstrip("/")
    try:
        return str(_VERSION.read(text))
    except Refused:
        raise Refused(f"{quoted(text)} is neither a version of Python nor a path", _PYTHON_ALLOWED) from None


def _read_index(given: object) -> str:
    text = text_of(given, "a URL", _INDEX_ALLOWED).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Refused(f"{quoted(text)} is not a URL", _INDEX_ALLOWED) from None
    if "@" in parts.netloc:
        raise Refused(
            "a name or password has no place in this file",
            f"{_INDEX_ALLOWED}; uv finds the password in ~/.netrc or by its variable UV_INDEX_NAME_PASSWORD",
            secret=True,
        )
    if parts.scheme not in ("http", "https", "file") or not text.isprintable() or " " in text:
        raise Refused(f"{quoted(text)} is not the URL of an index", _INDEX_ALLOWED)
    return text


def _read_truth(given: object) -> bool:
    if not isinstance(given, bool):
        raise Refused(f"{shown(given)} is neither true nor false", "true or false, without quotes")
    return given


TRUTH = Kind("`true` or `false`", _read_truth, {"type": "boolean"})
PYTHON = Kind("version or path", _read_python, {"type": "string", "pattern": r"^(/|3\.)"})
INDEX = Kind("URL", _read_index, {"type": "string", "pattern": "^(https?|file)://"})

Requirements = Annotated[
    tuple[Annotated[str, REQUIREMENT], ...],
    ListOf("list of packages", 'a list such as ["numpy", "scipy>=1.14"]', may_be_empty=True),
]


class Contents(Section):
    """What the environment of the server consists of."""

    heading: ClassVar[str] = "[environment]"
    about: ClassVar[str] = "What is in the environment. May be left out."

    python: Annotated[str, PYTHON] = key(
        "A version: uv fetches that Python into the environment's own directory, so that nodes need none. Or "
        "the path of an interpreter, which every node must have there, and everybody must be able to run.",
        example="/usr/bin/python3",
        default="3.12",
    )
    include: Annotated[Literal["default", "minimal", "nothing"], INCLUDE] = key(
        "A list of packages that comes with clusterhub: `minimal` is what a session needs, `default` is that "
        "and what sites expect; [both are on this page](#lists).",
        example="minimal",
        default="default",
    )
    without: Annotated[
        tuple[Annotated[str, PACKAGE], ...],
        ListOf("list of names", 'a list such as ["jupyterlab-git"]', may_be_empty=True),
    ] = key("Packages of that list to leave out.", example=["jupyterlab-git"], default=())
    packages: Requirements = key("Further packages.", example=["numpy", "scipy>=1.14"], default=())
    extensions: Requirements = key(
        "Further packages that extend JupyterLab or its server. The build fails where one of them brings no "
        "extension.",
        example=["jupyterlmod>=5.3"],
        default=(),
    )

    @model_validator(mode="after")
    def _names_what_is_there(self) -> Contents:
        listed = [name_of(each) for each in requirements(self.include)]
        for position, name in enumerate(self.without):
            if name_of(name) not in listed:
                allowed = f"some of: {', '.join(listed)}" if listed else "nothing, or another list to include"
                raise Refused(
                    f'{quoted(name)} is not in the list "{self.include}"', allowed, at=("without", position)
                )
        return self


class Source(Section):
    """Where packages come from."""

    heading: ClassVar[str] = "[source]"
    about: ClassVar[str] = (
        "Where packages come from. May be left out: then they come from where uv takes them, which is PyPI "
        "unless its own configuration or variables (`UV_DEFAULT_INDEX` ...) say otherwise."
    )

    index: Annotated[str, INDEX] | None = key(
        "The package index, instead of PyPI.",
        example="https://mirror.example.org/simple",
        default=None,
        derived="uv's own",
    )
    extra_indexes: Annotated[
        tuple[Annotated[str, INDEX], ...],
        ListOf("list of URLs", 'a list such as ["https://mirror.example.org/simple"]', may_be_empty=True),
    ] = key(
        "Indexes that are asked first. A package that one of them has comes from there only.",
        example=["https://packages.example.org/simple"],
        default=(),
    )
    wheels: Annotated[Path, PATH] | None = key(
        "A directory with wheels, beside the indexes.", example="/shared/wheels", default=None
    )
    offline: Annotated[bool, TRUTH] = key(
        "Ask no index at all: every package is in `wheels`. For sites without internet.",
        example=True,
        default=False,
        derived="`false`",
    )

    @model_validator(mode="after")
    def _has_a_source(self) -> Source:
        if self.offline and self.wheels is None:
            raise Refused("offline needs wheels", 'wheels = "/shared/wheels"', at=("offline",))
        if self.offline and (self.index or self.extra_indexes):
            raise Refused("offline, no index is asked", "either offline or indexes", at=("offline",))
        return self


class Kernel(Section):
    """One kernel with an environment of its own, inside the version."""

    heading: ClassVar[str] = "[kernel.NAME]"
    about: ClassVar[str] = (
        "A Python kernel with packages of its own, beside the one that the environment itself has: they may "
        "differ in versions from those of the server. Any number of them, each under a name of your choice "
        "(lower-case letters and digits). `ipykernel` need not be named."
    )

    title: Annotated[str, LINE] = key(
        "What people read in the launcher.", example="Python (science)", default="", derived="the name"
    )
    packages: Requirements = key("Its packages.", example=["numpy", "pandas"], default=())


class Specification(Section):
    """What is to be built."""

    heading: ClassVar[str] = "environment.toml"

    _text: str = PrivateAttr(default="")

    environment: Contents = key(
        "What is in the environment.", example={"include": "minimal"}, default=Contents()
    )
    source: Source = key("Where packages come from.", example={"wheels": "/shared/wheels"}, default=Source())
    kernels: dict[Annotated[str, SLUG], Kernel] = key(
        "Kernels with packages of their own.",
        example={"science": {"packages": ["numpy"]}},
        alias="kernel",
        default={},
    )

    @property
    def text(self) -> str:
        """The file itself."""
        return self._text

    @property
    def requirements(self) -> tuple[str, ...]:
        """All that goes into the server's own environment."""
        contents = self.environment
        without = {name_of(each) for each in contents.without}
        included = [each for each in requirements(contents.include) if name_of(each) not in without]
        return (*included, *contents.packages, *contents.extensions)
