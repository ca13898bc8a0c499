"""The reference of the audit log, written from the events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from clusterhub.audit.events import COMMON, COMMON_FIELDS, EVENTS, FIELDS, Event

_INTRODUCTION = """\
# The audit log

One line of JSON for each thing that somebody did, or was told not to do, in the file that `[hub] audit_log`
of [site.toml](site-toml.md#hub) names. How to keep it and to send it elsewhere: [Keep an audit
log](../how-to/keep-an-audit-log.md).

<!-- Made by `scripts/reference` from the events in src/clusterhub/audit. -->

No line holds a password, a token, a ticket, or what a session printed. Fields may be added; those that are
here keep their meaning.

## Every line

| field | is |
|---|---|
"""


def reference() -> str:
    """The whole page, in Markdown."""
    lines = [f"| `{name}` | {meaning} |" for name, meaning in COMMON_FIELDS.items()]
    for event in EVENTS:
        lines.extend(_section(event))
    return _INTRODUCTION + "\n".join(lines) + "\n"


def _section(event: type[Event]) -> Iterator[str]:
    yield ""
    yield f"## `{event.name}`"
    yield ""
    yield " ".join((event.__doc__ or "").split())
    own = [field.name for field in fields(event) if field.name not in COMMON and field.name in FIELDS]
    if own:
        yield ""
        yield "| field | is |"
        yield "|---|---|"
        yield from (f"| `{name}` | {FIELDS[name]} |" for name in own)
