"""What the TOML parser says becomes a sentence with a place. The messages are those of Python 3.11."""

from __future__ import annotations

import pytest

from clusterhub.site.syntax import syntax_problem


@pytest.mark.parametrize(
    ("text", "said", "line", "column", "says"),
    [
        (
            "time = 4h\n",
            "Expected newline or end of document after a statement (at line 1, column 9)",
            1,
            9,
            '"h" comes after the end of the value',
        ),
        (
            "cpus = { default = 1,\n  max = 2 }\n",
            "Invalid initial character for a key part (at line 1, column 22)",
            1,
            22,
            "cannot go on in the next line",
        ),
        (
            "cpus = { default = 1, }\n",
            "Invalid initial character for a key part (at line 1, column 23)",
            1,
            23,
            '"}"',
        ),
        ("[hub]\nx=1\nx=2\n\n\n", "Cannot overwrite a value (at end of document)", 3, 4, "twice"),
        ('[hub]\nx = """a\nb\n', "Unterminated string (at end of document)", 3, 2, "no quote at its end"),
        ("[hub]\n[hub]", "Cannot declare ('hub',) twice (at line 2, column 5)", 2, 5, "twice"),
        ("x = {b=1,b=2}", "Duplicate inline table key 'b' (at line 1, column 13)", 1, 13, "twice"),
        ("x = 1 # 2", "Invalid value (at line 1, column 5)", 1, 5, '"1" is not a value'),
        ("x", "Words of a parser that is yet to be written (at line 1, column 1)", 1, 1, "this is not TOML"),
        ("x", "Words without a place", 1, 2, "this is not TOML"),
        ("", "Words about nothing (at end of document)", 1, 1, "this is not TOML"),
    ],
)
def test_the_parsers_words_become_a_sentence(text: str, said: str, line: int, column: int, says: str) -> None:
    problem = syntax_problem(text, said)
    assert (problem.line, problem.column) == (line, column)
    assert says in problem.message
    assert problem.allowed


@pytest.mark.parametrize("line", [0, 1, 2, 99])
def test_a_place_outside_of_the_text_is_no_reason_to_fail(line: int) -> None:
    assert syntax_problem("x = 1", f"Invalid value (at line {line}, column 99)").message
