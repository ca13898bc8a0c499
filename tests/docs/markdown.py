"""Markdown pages as their readers see them: headings, anchors, links, code blocks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Link:
    """A link or picture, and the line of the paragraph that it stands in."""

    target: str
    line: int


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block, with its language and first line."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Row:
    """A row of a table, the header's among them: its cells as they were written."""

    cells: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Section:
    """What stands under one heading of the second level, up to the next."""

    title: str
    rows: tuple[Row, ...]
    """Of all its tables."""
    paragraphs: tuple[str, ...]


def pages() -> list[Path]:
    """Every page for readers: those beside the README, and the documentation."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")])


@cache
def _tokens(page: Path) -> tuple[Token, ...]:
    return tuple(MarkdownIt("commonmark").enable("table").parse(page.read_text()))


def links(page: Path) -> Iterator[Link]:
    """All links and pictures of a page."""
    for token in _tokens(page):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target is not None:
                yield Link(str(target), (token.map or [0])[0] + 1)


def code_blocks(page: Path) -> Iterator[CodeBlock]:
    """All fenced blocks of a page."""
    for token in _tokens(page):
        if token.type == "fence":
            yield CodeBlock(token.info.strip(), token.content, (token.map or [0])[0] + 1)


def sections(page: Path) -> Iterator[Section]:
    """The page, taken apart at its headings of the second level; first what stands before these."""
    title, rows, cells, paragraphs = "", list[Row](), list[str](), list[str]()
    line = 0
    for before, token in pairwise([*_tokens(page), Token("heading_open", "h2", 1)]):
        if token.type == "heading_open" and token.tag == "h2":
            yield Section(title, tuple(rows), tuple(paragraphs))
            rows, paragraphs = [], []
        elif token.type == "tr_open":
            cells, line = [], (token.map or [0])[0] + 1
        elif token.type == "tr_close":
            rows.append(Row(tuple(cells), line))
        elif token.type == "inline":
            if before.type == "heading_open" and before.tag == "h2":
                title = token.content
            elif before.type in {"th_open", "td_open"}:
                cells.append(token.content)
            elif before.type == "paragraph_open":
                paragraphs.append(token.content)


def anchors(page: Path) -> set[str]:
    """The names that a heading of this page can be linked by, made as GitHub makes them."""
    found: set[str] = set()
    tokens = _tokens(page)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(
                child.content for child in inline.children or () if child.type in {"text", "code_inline"}
            )
            name = anchor(text)
            number = 0
            while (candidate := f"{name}-{number}" if number else name) in found:
                number += 1
            found.add(candidate)
    return found


def anchor(heading: str) -> str:
    """Lower case, spaces to hyphens, and nothing but letters, digits, hyphens and underscores."""
    kept = (
        letter
        for letter in heading.strip().lower()
        if letter in " -_" or unicodedata.category(letter)[0] in "LN"
    )
    return re.sub(" ", "-", "".join(kept))
