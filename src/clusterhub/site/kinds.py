"""The kinds of values in site.toml: how each is read, and how it is explained to people and editors."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from clusterhub.site.quantities import (
    DURATION_ALLOWED,
    DURATION_PATTERN,
    LARGEST_COUNT,
    SIZE_ALLOWED,
    SIZE_PATTERN,
    Refused,
    parse_duration,
    parse_size,
    quoted,
)


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of value. ``read`` takes what TOML gave and returns the value, or raises `Refused`."""

    label: str
    read: Callable[[object], Any]
    json: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.json)


@dataclass(frozen=True)
class ListOf:
    """A list of one kind; ``single`` lets one value stand without brackets."""

    label: str
    allowed: str
    single: bool = False
    may_be_empty: bool = False
    most: int | None = None

    def read(self, given: object) -> object:
        """The items, each still to be read.

        Raises `Refused` for no list, an empty one, one that is too long, an item twice.
        """
        if isinstance(given, str) and self.single:
            return (given,)
        if not isinstance(given, list | tuple):
            raise Refused(f"{shown(given)} is not a list", self.allowed)
        if not given and not self.may_be_empty:
            raise Refused("the list is empty", f"{self.allowed}; or leave the key out")
        if self.most is not None and len(given) > self.most:
            raise Refused(f"the list has {len(given)} items", f"at most {self.most}")
        for position, item in enumerate(given):
            if item in given[:position]:
                raise Refused(f"{shown(item)} is in the list twice", "each item once", at=(position,))
        return tuple(given)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        array = {**handler(schema), "uniqueItems": True}
        if not self.may_be_empty:
            array["minItems"] = 1
        if self.most is not None:
            array["maxItems"] = self.most
        return {"anyOf": [array["items"], array]} if self.single else array


def shown(given: object) -> str:
    """A value as an operator would know it from the file."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, str):
        return quoted(given)
    if isinstance(given, Mapping):
        return "a table"
    if isinstance(given, list | tuple):
        return "a list"
    if isinstance(given, datetime.date | datetime.time):
        return given.isoformat()
    return quoted(str(given))[1:-1]


def text_of(given: object, label: str, allowed: str) -> str:
    """The text that was given. Raises `Refused` with a hint at the quotes where it is something else."""
    if isinstance(given, str):
        return given
    if isinstance(given, bool | Mapping | list):
        raise Refused(f"{shown(given)} is not {label}", allowed)
    raise Refused(f"{shown(given)} is not {label}: it needs quotes", allowed)


def matching(label: str, pattern: str, allowed: str) -> Kind:
    """Text that the whole of ``pattern`` matches."""
    compiled = re.compile(pattern)

    def read(given: object) -> str:
        text = text_of(given, label, allowed)
        if not compiled.fullmatch(text):
            raise Refused(f"{quoted(text)} is not {label}" if text else "the text is empty", allowed)
        return text

    return Kind(label, read, {"type": "string", "pattern": f"^(?:{pattern})$"})


def one_of(label: str, *choices: str) -> Kind:
    """One of a few words."""
    allowed = " or ".join(f'"{choice}"' for choice in choices)

    def read(given: object) -> str:
        text = text_of(given, label, allowed)
        if text not in choices:
            near = difflib.get_close_matches(text.lower(), choices, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise Refused(f"{quoted(text)} is not {label}{hint}", allowed)
        return text

    return Kind(f"one of {', '.join(f'`{choice}`' for choice in choices)}", read, {"enum": list(choices)})


def whole_number(label: str, low: int, high: int, too_low: str = "") -> Kind:
    """A whole number between two limits, both allowed."""
    allowed = f"a whole number from {low} to {high}"

    def read(given: object) -> int:
        if isinstance(given, bool) or not isinstance(given, int):
            unquoted = isinstance(given, str) and re.fullmatch(r"-?[0-9]+", given.strip())
            hint = ": write it without the quotes" if unquoted else ""
            raise Refused(f"{shown(given)} is not {label}{hint}", allowed)
        if given < low:
            raise Refused(f"{shown(given)} is too small{': ' if too_low else ''}{too_low}", allowed)
        if given > high:
            raise Refused(f"{shown(given)} is too large", allowed)
        return given

    return Kind("whole number", read, {"type": "integer", "minimum": low, "maximum": high})


def _read_truth(given: object) -> bool:
    if not isinstance(given, bool):
        hint = ": write it without the quotes" if given in ("true", "false") else ""
        raise Refused(f"{shown(given)} is neither true nor false{hint}", "true or false")
    return given


def _read_duration(given: object) -> int:
    if isinstance(given, datetime.time):
        raise Refused(f"{given.isoformat()} needs quotes to be a duration", f'"{given.isoformat()}"')
    if isinstance(given, int) and not isinstance(given, bool):
        return parse_duration(str(given))  # refuses it, with a sentence about the missing unit
    seconds = parse_duration(text_of(given, "a duration", DURATION_ALLOWED))
    if seconds == 0:
        raise Refused(f"{shown(given)} is no time at all", "a duration of at least a second")
    return seconds


def _read_size(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return parse_size(str(given))  # refuses it, with a sentence about the missing unit
    size = parse_size(text_of(given, "a size", SIZE_ALLOWED))
    if size < 2**20:
        raise Refused(f"{shown(given)} is less than schedulers can count", "a size of at least 1 MiB")
    return size


def _printable(label: str, allowed: str) -> Kind:
    def read(given: object) -> str:
        text = text_of(given, label, allowed)
        if not text.strip():
            raise Refused("the text is empty", allowed)
        if not text.isprintable():
            raise Refused(f"{quoted(text)} has a line break or another control character", allowed)
        return text

    return Kind("text", read, {"type": "string", "minLength": 1})


def _read_lines(given: object) -> str:
    allowed = 'text, in """three quotes""" where it has several lines'
    text = text_of(given, "text", allowed)
    if "\0" in text:
        raise Refused("the text holds a NUL character, which no script can", allowed)
    return text


COUNT = whole_number("a whole number", 1, LARGEST_COUNT)
COUNT_OR_NONE = whole_number("a whole number", 0, LARGEST_COUNT)
TRUTH = Kind("`true` or `false`", _read_truth, {"type": "boolean"})
DURATION = Kind("duration", _read_duration, {"type": "string", "pattern": DURATION_PATTERN})
SIZE = Kind("size", _read_size, {"type": "string", "pattern": SIZE_PATTERN})
LINE = _printable("text", "text on one line")
LINES = Kind("text", _read_lines, {"type": "string"})
SLUG = matching(
    "a name",
    r"(?=.{1,40}$)[a-z0-9]+(?:[-_.][a-z0-9]+)*",
    'lower-case letters and digits, with "-", "_" or "." between them, at most 40, such as "gpu-short"',
)
"""What names something of ours: it goes into links, file names and metrics."""
