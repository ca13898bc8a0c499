"""Where in the text of a TOML file each key and value stands; needed only once something is wrong there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import tree_sitter
import tree_sitter_toml

Where = tuple[str | int, ...]
"""The way to a value from the top: keys of tables, and positions in lists."""


@dataclass(frozen=True)
class Span:
    """A place in the text; line and column count characters, from 1."""

    line: int
    column: int
    width: int = 1


WHOLE_FILE = Span(1, 1, 0)
"""Where a mistake is that stands in no place of its own, such as a table that is missing."""


@dataclass
class Positions:
    """The places of the keys and values of one file."""

    keys: dict[Where, Span] = field(default_factory=dict)
    values: dict[Where, Span] = field(default_factory=dict)
    headings: dict[Where, Span] = field(default_factory=dict)
    """Where tables with a heading of their own (``[hub]``) have it."""

    def of_key(self, where: Where) -> Span:
        """The key itself; else what comes nearest to it on the way there."""
        return self.keys.get(where) or self.of_value(where)

    def of_value(self, where: Where) -> Span:
        """The value, or the nearest thing around it that the file has; the first line where there is none."""
        for length in range(len(where), 0, -1):
            here = where[:length]
            span = self.values.get(here) or self.headings.get(here) or self.keys.get(here)
            if span:
                return span
        return WHOLE_FILE

    def longest_known(self, where: Where) -> Where:
        """As much of the way as the file itself has."""
        for length in range(len(where), 0, -1):
            if any(where[:length] in known for known in (self.values, self.headings, self.keys)):
                return where[:length]
        return ()


def positions_of(text: str) -> Positions:
    """Find every key and value. Text that is not quite TOML gives the places of what could be read of it."""
    tree = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language())).parse(text.encode())
    reader = _Reader(text.split("\n"))
    reader.read_document(tree.root_node)
    return reader.found


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.found = Positions()
        self.lengths: dict[Where, int] = {}
        """How many `[[tables]]` of each name there have been."""

    def read_document(self, document: tree_sitter.Node) -> None:
        for node in document.named_children:
            if node.type == "pair":
                self.read_pair((), node)
            elif node.type in ("table", "table_array_element"):
                self.read_table(node)

    def read_table(self, table: tree_sitter.Node) -> None:
        heading = next((child for child in table.named_children if child.type.endswith("_key")), None)
        if heading is None:
            return
        names = _names(heading)
        where: Where = ()
        for number, name in enumerate(names, start=1):
            where = (*where, name)
            if number == len(names) and table.type == "table_array_element":
                self.keys_once(where, heading)
                position = self.lengths.get(where, 0)
                self.lengths[where] = position + 1
                where = (*where, position)
            elif where in self.lengths:
                where = (*where, self.lengths[where] - 1)
            self.keys_once(where, heading)
        self.found.headings.setdefault(where, self.span(heading))
        for child in table.named_children:
            if child.type == "pair":
                self.read_pair(where, child)

    def read_pair(self, table: Where, pair: tree_sitter.Node) -> None:
        key, value = [*pair.named_children, None, None][:2]
        if key is None:
            return
        where = table
        for name in _names(key):
            where = (*where, name)
            self.keys_once(where, key)
        if value is not None:
            self.read_value(where, value)

    def read_value(self, where: Where, value: tree_sitter.Node) -> None:
        self.found.values.setdefault(where, self.span(value))
        if value.type == "array":
            items = [item for item in value.named_children if item.type != "comment"]
            for position, item in enumerate(items):
                self.read_value((*where, position), item)
        elif value.type == "inline_table":
            for pair in value.named_children:
                if pair.type == "pair":
                    self.read_pair(where, pair)

    def keys_once(self, where: Where, node: tree_sitter.Node) -> None:
        self.found.keys.setdefault(where, self.span(node))

    def span(self, node: tree_sitter.Node) -> Span:
        """Characters, where tree-sitter counts bytes."""
        row, first = node.start_point
        last_row, last = node.end_point
        line = self.lines[row].encode()
        before = line[:first].decode(errors="replace")
        inside = line[first : last if last_row == row else None].decode(errors="replace").rstrip()
        return Span(row + 1, len(before) + 1, max(len(inside), 1))


def _names(key: tree_sitter.Node) -> list[str]:
    if key.type == "dotted_key":
        return [name for part in key.named_children for name in _names(part)]
    text = (key.text or b"").decode()
    if key.type == "quoted_key":
        try:
            return [text[1:-1] if text.startswith("'") else str(json.loads(text))]
        except ValueError:
            return [text[1:-1]]
    return [text]
