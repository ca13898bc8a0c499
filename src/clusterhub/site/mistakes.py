"""What the checks of a file found, put into an operator's words."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clusterhub.site.kinds import shown
from clusterhub.site.positions import WHOLE_FILE, Positions, Span, Where, positions_of
from clusterhub.site.problems import Problem
from clusterhub.site.quantities import Refused
from clusterhub.site.relations import Conflict
from clusterhub.site.schema import Site
from clusterhub.site.section import Section

_KEY_MARK = "[key]"
"""What pydantic adds to the way to a table's key that is itself wrong."""


def problems_in(
    text: str,
    data: Mapping[str, Any],
    error: ValidationError | None,
    conflicts: Iterable[Conflict] = (),
    root: type[Section] = Site,
) -> list[Problem]:
    """Every mistake, with its place in the text. ``root`` says what the file as a whole may have."""
    words = _Words(data, positions_of(text), text.split("\n"), root)
    problems = [words.conflict(conflict) for conflict in conflicts]
    if error is not None:
        problems += [words.mistake(details) for details in error.errors(include_url=False)]
    return problems


class _Words:
    def __init__(
        self, data: Mapping[str, Any], positions: Positions, lines: list[str], root: type[Section]
    ) -> None:
        self.data = data
        self.positions = positions
        self.lines = lines
        self.root = root

    def problem(self, span: Span, where: Where, message: str, allowed: str = "") -> Problem:
        source = self.lines[span.line - 1] if span != WHOLE_FILE else ""
        return Problem(span.line, span.column, self.name_of(where), message, allowed, source, span.width)

    def conflict(self, conflict: Conflict) -> Problem:
        at = self.positions.of_key if conflict.at_key else self.positions.of_value
        message = conflict.message
        if conflict.first:
            message = message.replace("{line}", str(self.positions.of_value(conflict.first).line))
        return self.problem(at(conflict.where), conflict.where, message, conflict.allowed)

    def mistake(self, details: ErrorDetails) -> Problem:
        where: Where = details["loc"]
        is_key = bool(where) and where[-1] == _KEY_MARK
        where = where[:-1] if is_key else where
        kind, given = details["type"], details["input"]
        if kind == "extra_forbidden":
            return self.unknown_key(where)
        if kind == "missing":
            return self.missing_key(where)
        refused = details.get("ctx", {}).get("error")
        if isinstance(refused, Refused):
            where += tuple(part for part in refused.at if (*where, part) in self.positions.values)
            # A plain value stands for a table: what is wrong with its default is wrong with the value.
            known = self.positions.longest_known(where)
            span = self.positions.of_key(where) if is_key else self.positions.of_value(known)
            message, allowed = refused.what, refused.allowed
            if known == ("profile",) and isinstance(given, Mapping):
                message, allowed = "[profile] has one bracket where two are needed", "[[profile]]"
            problem = self.problem(span, known, message, allowed)
            return dataclasses.replace(problem, source="") if refused.secret else problem
        return self.wrong_shape(where, kind, given)

    def wrong_shape(self, where: Where, kind: str, given: object) -> Problem:
        span = self.positions.of_value(where)
        section = section_at(where, self.root)
        if kind in ("model_type", "model_attributes_type", "dict_type"):
            example = (
                f"a table: {section.heading}" if section and section.heading else "a table, such as { ... }"
            )
            if where == ("cluster",):
                example = "a table for each cluster, such as [cluster.main]"
            if isinstance(given, list) and section and section.heading:
                message = f"{section.heading} has two brackets where one is needed"
            else:
                message = f"{shown(given)} is not a table"
            return self.problem(span, where, message, example)
        return self.problem(span, where, f"{shown(given)} cannot be used here")

    def unknown_key(self, where: Where) -> Problem:
        name = str(where[-1])
        here = section_at(where[:-1], self.root) or self.root
        allowed = ", ".join(keys_of(here))
        homes = list(_homes_of(name, self.root))
        near = difflib.get_close_matches(name.lower(), keys_of(here), n=1)
        elsewhere = sorted({key for home in _every_section(self.root) for key in keys_of(home)})
        far = difflib.get_close_matches(name.lower(), elsewhere, n=1, cutoff=0.8)
        if homes:
            message = f"this key belongs in {' or '.join(homes)}"
        elif near:
            message = f'unknown key; did you mean "{near[0]}"?'
        elif far:
            message = f'unknown key; did you mean "{far[0]}" in {" or ".join(_homes_of(far[0], self.root))}?'
        else:
            message = "unknown key"
        return self.problem(self.positions.of_key(where), where, message, allowed)

    def missing_key(self, where: Where) -> Problem:
        around = section_at(where[:-1], self.root) or self.root
        field = next(
            (field for name, field in around.model_fields.items() if str(where[-1]) in (name, field.alias)),
            None,
        )
        section = section_at(where, self.root)
        if section is not None and section.heading:
            message = f"the table {section.heading} is missing"
        else:
            message = "this key is missing"
        examples = (field.examples if field else None) or []
        allowed = f"{where[-1]} = {as_toml(examples[0])}" if examples and not _is_table(section) else ""
        if _is_table(section) and examples:
            allowed = f"{section.heading if section else ''} with " + ", ".join(
                f"{key} = {as_toml(value)}" for key, value in examples[0].items()
            )
        return self.problem(self.positions.of_value(where), where, message, allowed)

    def name_of(self, where: Where) -> str:
        """The key in an operator's words, such as ``time.max in [[profile]] "gpu"``."""
        match where:
            case ():
                return ""
            case ("profile", int(position), *rest):
                heading = "[[profile]]" + self.profile_name(position)
            case ("cluster" | "kernel" as table, str(name), *rest):
                heading = f"[{table}.{name}]"
            case (str(name), *rest) if rest:
                heading = f"[{name}]"
            case _:
                return str(where[0])
        # A position in a list says less than the value itself, which the message repeats.
        names = [str(part) for part in rest if isinstance(part, str)]
        return f"{'.'.join(names)} in {heading}" if names else heading

    def profile_name(self, position: int) -> str:
        profiles = self.data.get("profile")
        profile = profiles[position] if isinstance(profiles, list) and position < len(profiles) else None
        name = profile.get("name") if isinstance(profile, Mapping) else None
        return f' "{name}"' if isinstance(name, str) and name.isprintable() else ""


def _is_table(section: type[Section] | None) -> bool:
    return section is not None and bool(section.heading)


def keys_of(section: type[Section]) -> list[str]:
    """The keys of a table, as they stand in the file."""
    return [field.alias or name for name, field in section.model_fields.items()]


def sections_in(annotation: object) -> Iterator[type[Section]]:
    """The tables that a field of this annotation holds."""
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from sections_in(argument)


def section_at(where: Where, root: type[Section] = Site) -> type[Section] | None:
    """The table that stands at this place of a file; None where there is none."""
    section = root
    rest = list(where)
    while rest:
        name = rest.pop(0)
        field = next(
            (field for key, field in section.model_fields.items() if name == (field.alias or key)), None
        )
        found = next(sections_in(field.annotation), None) if field else None
        if field is None or found is None:
            return None
        section = found
        if rest and get_origin(field.annotation) in (dict, tuple):
            rest.pop(0)
    return section


def _every_section(root: type[Section]) -> Iterator[type[Section]]:
    for field in root.model_fields.values():
        yield from sections_in(field.annotation)


def _homes_of(name: str, root: type[Section]) -> Iterator[str]:
    for section in _every_section(root):
        if name in keys_of(section):
            yield section.heading


def as_toml(value: object) -> str:
    """A value of an example as it would stand in the file."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    return shown(value)
