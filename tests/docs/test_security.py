"""The page on attackers and the tests that show what stops them cannot drift apart.

Each line of its tables names tests that exist, and each test of tests/abuse is named in one: so no line is a
mere promise, and no attack is tried of which the page does not speak. With the name of a test changed on
either side, or a test added to tests/abuse, one of the first two tests fails.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.docs import markdown

PAGE = markdown.ROOT / "docs" / "explanation" / "security.md"
ABUSE = markdown.ROOT / "tests" / "abuse"
COLUMNS = ("what is tried", "what stops it", "shown by")
REMAINS = "**What remains.** "


@cache
def defined_in(file: Path) -> frozenset[str]:
    """The tests of a file as pytest names them after its path, read without running anything."""

    def below(body: list[ast.stmt], path: str) -> Iterator[str]:
        for each in body:
            if isinstance(each, ast.ClassDef) and each.name.startswith("Test"):
                yield from below(each.body, f"{path}{each.name}::")
            elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name.startswith("test_"):
                yield path + each.name

    return frozenset(below(ast.parse(file.read_text()).body, ""))


def named_in(row: markdown.Row) -> list[str]:
    """The tests that a row of a table is shown by."""
    return re.findall(r"`([^`]+)`", row.cells[-1])


def problem_with(name: str) -> str:
    """Why this names no test; empty where it does."""
    path, _, test = name.partition("::")
    file = markdown.ROOT / path
    if not (path.startswith("tests/") and file.is_file()):
        return "there is no such file"
    return "" if test in defined_in(file) else "there is no such test in that file"


def problems_of(page: Path) -> Iterator[str]:
    """What keeps the page from saying, for each attacker, what is tried, what shows it, and what remains."""
    for section in markdown.sections(page):
        if not section.title:
            continue
        heading, *rows = section.rows or [markdown.Row((), 0)]
        if heading.cells != COLUMNS or not rows:
            yield f"{section.title}: it has no table of {COLUMNS}"
            continue
        if not (section.paragraphs and section.paragraphs[-1].startswith(REMAINS)):
            yield f"{section.title}: it does not end with what remains"
        for row in rows:
            if not all(row.cells):
                yield f"line {row.line}: a cell is empty"
            elif not named_in(row):
                yield f"line {row.line}: no test is named"
            for name in named_in(row):
                if problem := problem_with(name):
                    yield f"line {row.line}: {name}: {problem}"


def unnamed(page: Path, directory: Path) -> list[str]:
    """The tests of a directory that no line of the page names."""
    rows = [row for section in markdown.sections(page) for row in section.rows[1:]]
    named = {name for row in rows for name in named_in(row)}
    there = {
        f"{file.relative_to(markdown.ROOT)}::{test}"
        for file in directory.rglob("test_*.py")
        for test in defined_in(file)
    }
    return sorted(there - named)


def test_each_line_names_tests_that_exist() -> None:
    assert list(problems_of(PAGE)) == []


def test_each_attack_that_is_tried_is_in_a_line() -> None:
    assert defined_in(ABUSE / "test_helper.py"), "nothing is looked at"
    assert unnamed(PAGE, ABUSE) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("| a | b | `tests/test_x.py::test_it`, `tests/test_x.py::TestThat::test_other` |", ""),
        ("| a | b | a review |", "line 7: no test is named"),
        ("| a | b | `tests/test_y.py::test_it` |", "no such file"),
        ("| a | b | `tests/test_x.py::test_that` |", "no such test"),
        ("| a | b | `tests/test_x.py` |", "no such test"),
        ("| a |  | `tests/test_x.py::test_it` |", "a cell is empty"),
        ("", "no table"),
        ("| a | b | `tests/test_x.py::test_it` |\n\nA last word.", "what remains"),
    ],
)
def test_a_line_that_shows_nothing_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, problem: str
) -> None:
    monkeypatch.setattr(markdown, "ROOT", tmp_path)
    tests = tmp_path / "tests" / "test_x.py"
    tests.parent.mkdir()
    tests.write_text("async def test_it(): ...\nclass TestThat:\n    def test_other(self): ...\n")
    page = tmp_path / "page.md"
    end = "" if "last word" in row else f"\n{REMAINS}Much.\n"
    page.write_text(f"# Page\n\n## Somebody\n\n| {' | '.join(COLUMNS)} |\n|---|---|---|\n{row}\n{end}")
    found = list(problems_of(page))
    assert [problem in each for each in found] == ([True] if problem else [])


def test_an_attack_of_which_the_page_does_not_speak_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markdown, "ROOT", tmp_path)
    (tmp_path / "test_x.py").write_text("def test_it(): ...\ndef test_more(): ...\ndef made(): ...\n")
    page = tmp_path / "page.md"
    table = f"| {' | '.join(COLUMNS)} |\n|---|---|---|\n| a | b | `test_x.py::test_it` |\n"
    page.write_text(f"## Somebody\n\n{table}")
    assert unnamed(page, tmp_path) == ["test_x.py::test_more"]
