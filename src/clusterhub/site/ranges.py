"""Amounts that a profile offers: a fixed value, or a default between two limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from clusterhub.site.kinds import COUNT, COUNT_OR_NONE, DURATION, SIZE, Kind, matching, one_of, shown
from clusterhub.site.quantities import (
    Refused,
    format_duration,
    format_size,
    parse_count,
    parse_duration,
    parse_size,
)
from clusterhub.site.section import Section, key

GPU_TYPE = matching(
    "a GPU type",
    r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}",
    'the scheduler\'s name of the model, such as "h200" or "a100_3g.20gb"',
)
PER = one_of("a way to count memory", "node", "cpu")

_DEFAULT = "What a person gets who changes nothing."
_MIN = "The least that can be chosen."
_MAX = "The most that can be chosen."


class Range(Section):
    """An amount with its limits. All three are known once it is read, whichever of them the file says."""

    kind: ClassVar[Kind]
    lowest: ClassVar[object]
    """What ``min`` is where only ``max`` is said, in the words of the file; never more than the default."""

    default: int
    min: int = 0
    max: int = 0

    @model_validator(mode="before")
    @classmethod
    def _with_all_three(cls, given: object) -> object:
        table: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"default": given}
        if "default" not in table:
            return table
        try:
            default = cls.kind.read(table["default"])
        except Refused:
            return table  # to be reported once, for the default
        if "min" not in table:
            takes_lowest = "max" in table and cls.kind.read(cls.lowest) < default
            table["min"] = cls.lowest if takes_lowest else table["default"]
        table.setdefault("max", table["default"])
        return table

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.min > self.max:
            raise Refused(
                f"min ({self.words(self.min)}) is more than max ({self.words(self.max)})",
                "a min that is at most the max",
                at=("min",),
            )
        if not self.min <= self.default <= self.max:
            raise Refused(
                f"the default ({self.words(self.default)}) is outside of what can be chosen",
                f"{self.words(self.min)} to {self.words(self.max)}",
                at=("default",),
            )
        return self

    @property
    def is_fixed(self) -> bool:
        """True where there is nothing to choose."""
        return self.min == self.max

    @classmethod
    def words(cls, value: int) -> str:
        """A value as people write it."""
        return str(value)

    @classmethod
    def parse(cls, text: str) -> int:
        """A value from people's words. Raises `Refused`."""
        return parse_count(text)

    def choose(self, given: object) -> int:
        """The value that a choice of this amount comes to: the default for None, else what was given.

        Text is read as in site.toml; a number is in the unit of ``default``. Raises `Refused` for what cannot
        be read or lies outside of the limits.
        """
        if given is None:
            return self.default
        if isinstance(given, int) and not isinstance(given, bool):
            value = given
        else:
            value = self.parse(given if isinstance(given, str) else shown(given))
        if not self.min <= value <= self.max:
            limits = f"{self.words(self.min)} to {self.words(self.max)}"
            raise Refused(
                f"{self.words(value)} is {'less' if value < self.min else 'more'} than can be chosen here",
                self.words(self.min) if self.is_fixed else limits,
            )
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        table = handler.resolve_ref_schema(handler(schema))
        for bound in ("min", "max"):
            table["properties"][bound].pop("default", None)
        return {"anyOf": [dict(cls.kind.json), table]}


class IntRange(Range):
    """A number of things, one or more."""

    kind: ClassVar[Kind] = COUNT
    lowest: ClassVar[object] = 1

    default: Annotated[int, COUNT] = key(_DEFAULT, example=1)
    min: Annotated[int, COUNT] = key(
        _MIN, example=1, default=0, derived="1; without `max`, that of `default`"
    )
    max: Annotated[int, COUNT] = key(_MAX, example=8, default=0, derived="that of `default`")


class GpuRange(Range):
    """A number of GPUs per node, and of which model."""

    kind: ClassVar[Kind] = COUNT_OR_NONE
    lowest: ClassVar[object] = 1

    default: Annotated[int, COUNT_OR_NONE] = key(_DEFAULT, example=1)
    min: Annotated[int, COUNT_OR_NONE] = key(
        _MIN, example=0, default=0, derived="1; that of `default` if it is 0, or without `max`"
    )
    max: Annotated[int, COUNT_OR_NONE] = key(_MAX, example=2, default=0, derived="that of `default`")
    type: Annotated[str, GPU_TYPE] | None = key(
        "The model, by the scheduler's name for it.", example="h200", default=None, derived="any"
    )


class MemoryRange(Range):
    """An amount of memory in bytes, per node or per CPU."""

    kind: ClassVar[Kind] = SIZE
    lowest: ClassVar[object] = "1 GiB"

    default: Annotated[int, SIZE] = key(_DEFAULT, example="4 GiB")
    min: Annotated[int, SIZE] = key(
        _MIN,
        example="1 GiB",
        default=0,
        derived="1 GiB; that of `default` if it is less, or without `max`",
    )
    max: Annotated[int, SIZE] = key(_MAX, example="32 GiB", default=0, derived="that of `default`")
    per: Annotated[str, PER] = key(
        "Whether the amount is for each node or for each CPU.", example="cpu", default="node"
    )

    @classmethod
    def words(cls, value: int) -> str:
        """The size as people write it."""
        return format_size(value)

    @classmethod
    def parse(cls, text: str) -> int:
        """Bytes, from people's words. Raises `Refused`."""
        return parse_size(text)


class DurationRange(Range):
    """A length of time in seconds."""

    kind: ClassVar[Kind] = DURATION
    lowest: ClassVar[object] = "1min"

    default: Annotated[int, DURATION] = key(_DEFAULT, example="4h")
    min: Annotated[int, DURATION] = key(
        _MIN, example="10min", default=0, derived="1min; that of `default` if it is less, or without `max`"
    )
    max: Annotated[int, DURATION] = key(_MAX, example="1d", default=0, derived="that of `default`")

    @classmethod
    def words(cls, value: int) -> str:
        """The duration as people write it."""
        return format_duration(value)

    @classmethod
    def parse(cls, text: str) -> int:
        """Seconds, from people's words. Raises `Refused`."""
        return parse_duration(text)
