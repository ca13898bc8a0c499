"""The reference page is made from the schema, and says what the schema says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from clusterhub.site.loading import parse
from clusterhub.site.mistakes import as_toml, keys_of, sections_in
from clusterhub.site.reference import reference
from clusterhub.site.schema import Site
from clusterhub.site.section import Section

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "site-toml.md"
SECTIONS = [section for field in Site.model_fields.values() for section in sections_in(field.annotation)]


def test_the_committed_page_is_the_one_that_the_schema_makes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clusterhub.site.reference"], capture_output=True, text=True, check=True
    )
    assert PAGE.read_text() == done.stdout == reference()


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.heading)
def test_every_key_of_a_table_has_a_row_of_its_own(section: type[Section]) -> None:
    part = reference().split(f"\n## {section.heading}\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z_]+)` ", part, re.MULTILINE) == keys_of(section)


def test_every_row_has_all_cells_filled() -> None:
    for line in reference().splitlines():
        if line.startswith("| `"):
            assert [cell for cell in re.split(r"(?<!\\)\|", line)[1:-1] if not cell.strip()] == [], line


def test_every_link_leads_to_a_heading_of_the_page() -> None:
    page = reference()
    anchors = {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    links = set(re.findall(r"\]\(#([^)]*)\)", page))
    assert links
    assert links <= anchors


def test_the_example_of_the_page_is_a_good_site_file() -> None:
    example = reference().split("```toml\n")[1].split("```")[0]
    assert [profile.name for profile in parse(example, PAGE).profiles] == ["interactive"]


@pytest.mark.parametrize(
    ("section", "key"),
    [(section, key) for section in SECTIONS for key in keys_of(section)],
    ids=lambda value: value if isinstance(value, str) else value.heading,
)
def test_the_example_of_every_key_is_allowed(section: type[Section], key: str) -> None:
    field = section.model_fields[key]
    assert field.examples
    required = {
        name: other.examples[0]
        for name, other in section.model_fields.items()
        if other.is_required() and other.examples
    }
    section.model_validate({**required, key: field.examples[0]})


def test_a_value_is_shown_as_toml() -> None:
    assert as_toml({"a": ["x", 1, True]}) == '{ a = ["x", 1, true] }'
