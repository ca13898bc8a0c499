"""The page on what jobs ask of the hub names exactly the fields that the hub accepts."""

import re
from dataclasses import fields
from pathlib import Path

from clusterhub.session.launcher import VERSION
from clusterhub.spawner.boarding import Claim, Question, Ready

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "job-api.md"


def documented(heading: str) -> set[str]:
    section = PAGE.read_text().split(f"## `{heading}`")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \| (?:number|text|object) \|", section, flags=re.MULTILINE))


def test_the_fields_of_all_requests_are_documented_exactly() -> None:
    assert documented("/hub/api/clusterhub/claim") == {field.name for field in fields(Claim)}
    assert documented("/hub/api/clusterhub/ready") == {field.name for field in fields(Ready)}
    assert documented("/hub/api/clusterhub/time") == {field.name for field in fields(Question)}


def test_the_version_is_documented() -> None:
    assert f"hub's, which is {VERSION}." in " ".join(PAGE.read_text().split())
