"""The page on the audit log has every event that the code can write, with exactly its fields."""

import json
import re
from dataclasses import fields
from pathlib import Path

from clusterhub.audit.events import COMMON, COMMON_FIELDS, EVENTS, Event, Repeated
from clusterhub.audit.log import as_line
from clusterhub.audit.request import NONE

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "audit-log.md"


def documented(heading: str) -> set[str]:
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE))


def test_every_event_is_documented_with_exactly_its_fields() -> None:
    defined = Event.__subclasses__()
    assert set(EVENTS) == set(defined)
    for event in defined:
        own = {field.name for field in fields(event)} - set(COMMON)
        if event is Repeated:
            own.remove("address")  # which every line has
        assert documented(f"`{event.name}`") == own, event.name
        assert f"{event.__name__}(" not in (event.__doc__ or ""), (
            f"{event.name} says only what dataclass does"
        )


def test_what_every_line_has_is_documented() -> None:
    line = json.loads(as_line(Event(), NONE, 0.0))
    assert list(line) == list(COMMON_FIELDS)
    assert documented("Every line") == set(line)
