"""No link of the documentation leads nowhere, and every page can be found from the map."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import pytest
from tests.docs import markdown

INDEX = markdown.ROOT / "docs" / "index.md"
PAGES = markdown.pages()
NAMES = [str(page.relative_to(markdown.ROOT)) for page in PAGES]


def problem_with(page: Path, target: str) -> str:
    """Why a link leads nowhere, empty where it leads somewhere."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return problem_elsewhere(parts)
    if parts.path.startswith("/"):
        return "an absolute path works on no reader's machine"
    goal = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not goal.is_relative_to(markdown.ROOT):
        return "it leaves the repository"
    if not goal.exists():
        return "there is no such file"
    lost = parts.fragment and goal.suffix == ".md" and unquote(parts.fragment) not in markdown.anchors(goal)
    return f"that page has no heading for #{parts.fragment}" if lost else ""


def problem_elsewhere(parts: SplitResult) -> str:
    """What is wrong with a link to another site: it is read, not followed."""
    if parts.scheme in {"http", "https"}:
        return "" if re.fullmatch(r"[a-z0-9.-]+(:\d+)?", parts.netloc) else "no host in it"
    if parts.scheme == "mailto":
        return "" if "@" in parts.path else "no address in it"
    return "neither a page nor a web address"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    found = [
        f"line {link.line}: {link.target}: {problem}"
        for link in markdown.links(page)
        if (problem := problem_with(page, link.target))
    ]
    assert not found, "\n".join(found)


def test_every_page_of_the_documentation_can_be_reached_from_its_map() -> None:
    reached, waiting = set(), [INDEX]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = [urlsplit(link.target) for link in markdown.links(page)]
        local = [(page.parent / unquote(parts.path)).resolve() for parts in targets if not parts.scheme]
        waiting += [goal for goal in local if goal.suffix == ".md" and goal.exists()]
    lost = [page for page in PAGES if page.is_relative_to(INDEX.parent) and page not in reached]
    assert lost == []


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("b.md", ""),
        ("b.md#two-words", ""),
        ("#here", ""),
        ("https://jupyter.org/hub", ""),
        ("c.md", "no such file"),
        ("b.md#nothing", "no heading"),
        ("/docs/b.md", "absolute path"),
        ("../../etc/passwd", "leaves the repository"),
        ("https:///nowhere", "no host"),
        ("javascript:alert(1)", "neither"),
    ],
)
def test_a_bad_link_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, problem: str
) -> None:
    (tmp_path / "a.md").write_text("# Here\n")
    (tmp_path / "b.md").write_text("# Title\n\n## Two `words`!\n")
    monkeypatch.setattr(markdown, "ROOT", tmp_path)
    found = problem_with(tmp_path / "a.md", target)
    assert problem in found if problem else not found
