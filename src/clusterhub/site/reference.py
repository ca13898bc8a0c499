"""The reference of site.toml, written from the schema.

The committed file is made by ``python -m clusterhub.site.reference > docs/reference/site-toml.md``; a test
compares the two.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import get_args

from pydantic.fields import FieldInfo

from clusterhub.site.directives import OWN_OPTIONS
from clusterhub.site.kinds import Kind, ListOf
from clusterhub.site.mistakes import as_toml, sections_in
from clusterhub.site.ranges import DurationRange, GpuRange, IntRange, MemoryRange, Range
from clusterhub.site.schema import Site
from clusterhub.site.section import Section

_RANGES: dict[type[Section], str] = {
    IntRange: "whole number or range",
    GpuRange: "whole number or range of GPUs",
    MemoryRange: "size or range of memory",
    DurationRange: "duration or range",
}

_INTRODUCTION = """\
# site.toml

One file describes a site: its hub, its login, its clusters, its profiles. It is `/etc/clusterhub/site.toml`
unless `--site` or the variable `CLUSTERHUB_SITE` names another. Keys that are not on this page are refused.

`clusterhub config check` names everything that is wrong in the file, with line and column;
`clusterhub config schema` prints a JSON Schema, with which editors complete and check it.

<!-- Made by `python -m clusterhub.site.reference` from the descriptions in src/clusterhub/site. -->

## An example

```toml
[hub]
url = "https://jupyter.cluster.example.org"
admins = ["@hpc-staff"]

[login]
allow = ["@hpc-users"]

[cluster.main]
scheduler = "slurm"

[environment]
path = "/shared/clusterhub/environments/current"

[[profile]]
name = "interactive"
title = "Interactive, up to 8 cores"
partition = "interactive"
cpus = { default = 1, max = 8 }
memory = { default = "4 GiB", max = "32 GiB" }
time = { default = "4h", max = "1d" }
```

## Kinds of values

- **Duration**: `"30s"`, `"90min"`, `"4h"`, `"1d12h"`, with the units `w`, `d`, `h`, `min` (or `m`) and `s`,
  the largest first; or as Slurm writes it: `"30:00"` (minutes and seconds), `"04:00:00"`, `"1-12"` (days and
  hours), `"1-12:00:00"`. A number without a unit is refused: it could be minutes or seconds.
- **Size**: `"500M"`, `"4G"`, `"4 GiB"`, `"4 GB"`, `"1.5 TiB"`. The letters K, M, G, T and P are powers of
  1024, as in Slurm, whatever follows them. A number without a unit is refused.
- **Range**: a plain value, which is then fixed; or a table `{ default = ..., min = ..., max = ... }`, within
  which people choose. Without `max`, the default is the most that can be chosen.
- **Users and groups**: `"alice"` is a user, `"@hpc-users"` everybody in that Unix group.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    lines = [_INTRODUCTION]
    for field in Site.model_fields.values():
        for section in sections_in(field.annotation):
            lines.extend(section_lines(section))
    lines.extend(_ranges())
    lines.extend(_options())
    return "\n".join(lines)


def section_lines(section: type[Section]) -> Iterator[str]:
    """The chapter about one table: its heading, what it is for, its keys."""
    yield f"## {section.heading}"
    yield ""
    yield section.about
    yield ""
    yield from _table(section)


def _ranges() -> Iterator[str]:
    yield "## Ranges"
    yield ""
    yield "The keys of a range, which stands in place of a plain value."
    yield ""
    for section, label in _RANGES.items():
        yield f"### {label[0].upper()}{label[1:]}"
        yield ""
        yield from _table(section)


def _options() -> Iterator[str]:
    yield "## Options that `directives` cannot have"
    yield ""
    yield "clusterhub sets them itself, or relies on their absence. Any beginning of them is refused as well."
    yield ""
    yield "| option | say it with |"
    yield "|---|---|"
    for option, instead in OWN_OPTIONS.items():
        yield f"| `{option}` | {instead or 'cannot be changed'} |"
    yield "| `--gres=gpu...` | gpus |"
    yield ""


def _table(section: type[Section]) -> Iterator[str]:
    yield "| key | value | default | meaning | example |"
    yield "|---|---|---|---|---|"
    for name, field in section.model_fields.items():
        cells = (
            f"`{field.alias or name}`",
            _label(field),
            _default(field),
            field.description or "",
            f"`{as_toml(field.examples[0])}`" if field.examples else "",
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if field.is_required():
        return "**required**"
    if isinstance(extra, dict) and "x-default" in extra:
        return str(extra["x-default"])
    if field.default in (None, "", (), {}):
        return "none"
    return f"`{as_toml(field.default if isinstance(field.default, tuple | bool) else str(field.default))}`"


def _label(field: FieldInfo) -> str:
    for section in sections_in(field.annotation):
        if issubclass(section, Range):
            return f"[{_RANGES[section]}](#{_RANGES[section].lower().replace(' ', '-')})"
    kinds = [*field.metadata, *_metadata_in(field.annotation)]
    labels = [kind.label for kind in kinds if isinstance(kind, ListOf)]
    labels += [kind.label for kind in kinds if isinstance(kind, Kind)]
    return (
        "table of names and texts"
        if str(field.annotation).startswith("dict")
        else re.sub("^(a|an|the) ", "", labels[0])
    )


def _metadata_in(annotation: object) -> Iterator[object]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _metadata_in(argument)


if __name__ == "__main__":
    sys.stdout.write(reference())
