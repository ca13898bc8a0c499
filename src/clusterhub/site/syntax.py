"""Text that is not TOML: what the parser says about it, put into an operator's words."""

from __future__ import annotations

import re

from clusterhub.site.problems import Problem
from clusterhub.site.quantities import quoted

_PLACE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)\s*$")

_QUOTES = 'text in quotes, such as "4h"; numbers, true and false without them'
_WORDS = (
    ("Invalid value", "{found} is not a value", _QUOTES),
    (
        "Expected newline or end of document after a statement",
        "{found} comes after the end of the value",
        f"one key and one value in a line; {_QUOTES}",
    ),
    ("Expected '=' after a key", 'there is no "=" after the key', 'key = "value"'),
    (
        "Invalid initial character for a key part",
        "{found} cannot begin a key",
        'key = "value", no comma at the end',
    ),
    ("Invalid statement", "{found} begins neither a key nor a table", 'key = "value", [table] or # comment'),
    ("Cannot overwrite a value", "a key of this table is there twice", "each key once"),
    ("Duplicate inline table key", "a key of this table is there twice", "each key once"),
    ("Cannot declare", "this table is there twice, or is a single value elsewhere", "each table once"),
    (
        "Cannot mutate immutable",
        "this adds to a table that is complete already",
        "all keys in one place",
    ),
    ("Cannot redefine namespace", "this adds to a table that is complete already", "all keys in one place"),
    ("Unclosed array", 'the list has no "]" at its end, or no comma between two values', '["one", "two"]'),
    (
        "Unclosed inline table",
        'the table has no "}" at its end, or no comma between two keys',
        "{ a = 1, b = 2 }",
    ),
    ("Unterminated string", "the text has no quote at its end", '"text" on one line, """text""" on several'),
    ('Expected "\'"', "the text has no quote at its end", "'text' on one line, '''text''' on several"),
    ("Expected \"'''\"", "the text has no quotes at its end", "'text' on one line, '''text''' on several"),
    (
        "Illegal character '\\n'",
        "the text has no quote at its end",
        '"text" on one line, """text""" on several',
    ),
    ("Illegal character", "the text holds a control character", "it as an escape, such as \\t"),
    ("Unescaped '\\'", "a backslash stands alone", "two of them, or the text in 'single quotes'"),
    ("Expected ']' at the end of a table declaration", 'there is no "]" after the table\'s name', "[table]"),
    (
        "Expected ']]' at the end of an array declaration",
        'there is no "]]" after the table\'s name',
        "[[profile]]",
    ),
    ("Invalid date or datetime", "{found} is not a date", _QUOTES),
    ("Found invalid character in key", "the text of a key goes over the end of the line", 'key = "value"'),
)
_FALLBACK = ("this is not TOML", 'lines such as key = "value" and [table]; see https://toml.io')


def syntax_problem(text: str, said: str) -> Problem:
    """The mistake that keeps the text from being read, from what `tomllib` (or `tomli`) said about it."""
    lines = text.split("\n")
    match = _PLACE.search(said)
    if match and match["line"]:
        line, column = int(match["line"]), int(match["column"])
    else:
        line = max((number for number, content in enumerate(lines, start=1) if content.strip()), default=1)
        column = len(lines[line - 1].rstrip()) + 1
    source = lines[line - 1] if line <= len(lines) else ""
    rest = source[column - 1 :].strip()
    found = quoted(rest.split("#")[0].strip() or rest) if rest else "the end of the line"
    message, allowed = next(
        ((message, allowed) for beginning, message, allowed in _WORDS if said.startswith(beginning)),
        _FALLBACK,
    )
    if said.startswith("Invalid initial character") and not rest:
        message, allowed = "a table in braces cannot go on in the next line", "{ a = 1, b = 2 } on one line"
    elif message.startswith("{found}") and not rest:
        message, allowed = "there is nothing where a value should be", _QUOTES
    width = max(len(rest), 1)
    return Problem(line, column, "", message.replace("{found}", found), allowed, source, width)
