"""Every mistake in a site file is named with its line, in words, and with what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.site.examples import OF_A_SITE, OF_EVERYTHING
from tests.unit.site.mistakes_to_name import CPUS, MISTAKES, URL, Mistake

from clusterhub.errors import ClusterhubError
from clusterhub.site.loading import parse
from clusterhub.site.problems import SiteError

PLACE = Path("/etc/clusterhub/site.toml")
JARGON = (
    "validation error",
    "type=",
    "pydantic",
    "input should be",
    "traceback",
    "nonetype",
    "valueerror",
    "pair(",
)


def failure(text: str) -> SiteError:
    with pytest.raises(SiteError) as caught:
        parse(text, PLACE)
    return caught.value


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_its_line_and_what_is_allowed(mistake: Mistake) -> None:
    assert OF_A_SITE.count(mistake.old) >= 1
    error = failure(OF_A_SITE.replace(mistake.old, mistake.new, 1))
    there = [problem for problem in error.problems if problem.line == mistake.line]
    told = [f"{problem.key}: {problem.message}" for problem in there]
    found = [
        problem
        for problem, text in zip(there, told, strict=True)
        if all(part in text for part in mistake.says)
    ]
    assert found, error
    assert any(mistake.allows in problem.allowed for problem in found), error
    text = str(error)
    assert f"{PLACE}:{mistake.line}:" in text
    assert [word for word in JARGON if word in text.lower()] == []
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_there_are_more_than_fifty_mistakes() -> None:
    assert len({mistake.new for mistake in MISTAKES.values()}) > 50


def test_all_mistakes_are_reported_at_once_in_the_order_of_their_lines() -> None:
    text = (
        OF_A_SITE.replace("url =", "ulr =")
        .replace('"pam"', '"Pam"')
        .replace('name = "gpu"', 'name = "interactive"')
        .replace('cluster = "main"\npartition = "gpu"', 'cluster = "x"\npartition = "a b"')
    )
    lines = [problem.line for problem in failure(text).problems]
    assert lines == [1, 2, 6, 25, 27, 28]


def test_one_mistake_is_reported_once() -> None:
    assert len(failure(OF_A_SITE.replace(CPUS, '"8"')).problems) == 1
    assert len(failure(OF_A_SITE.replace(CPUS, "{ default = 9, max = 8 }")).problems) == 1
    assert len(failure(OF_A_SITE.replace('partition = "gpu"', 'partition = "a b"')).problems) == 1


def test_the_report_reads_like_a_compilers() -> None:
    text = str(failure(OF_A_SITE.replace('max = "1d"', 'max = "one day"')))
    assert text.splitlines() == [
        "/etc/clusterhub/site.toml:22:34:",
        '  time.max in [[profile]] "interactive": "one day" is not a duration',
        '     22 | time   = { default = "4h", max = "one day" }',
        "        |                                  ^^^^^^^^^",
        '  allowed: a duration such as "30s", "90min", "4h", "1d12h", or Slurm\'s',
        '    "04:00:00", "1-12:00:00"',
        "",
        "site.toml has one mistake.",
        "  what to do: mend the file, then run: clusterhub config check",
    ]


def test_columns_count_characters_where_letters_take_several_bytes() -> None:
    (problem,) = failure(OF_A_SITE.replace('title = "One GPU"', 'variables = { "Ä" = "ü", B = 1 }')).problems[
        1:
    ]
    assert (problem.column, problem.width) == (30, 1)


def test_a_long_line_is_shown_around_the_mistake() -> None:
    names = ", ".join(f'"user{number}"' for number in range(100))
    text = str(failure(OF_A_SITE.replace('["@hpc-users"]', f'[{names}, "a:b"]')))
    quotation = next(line for line in text.splitlines() if line.startswith("      7 |"))
    carets = next(line for line in text.splitlines() if "^" in line)
    assert len(quotation) <= 80
    assert quotation[carets.index("^") :].startswith('"a:b"')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('profile = [{ name = "a" }, { name = "a" }]', 1),
        ('[[profile]]\nname = "a"\n[profile.cpus]\ndefault = 0', 4),
        ('[[profile]]\nname = "a"\n[[profile]]\nname = "b"\n[profile.cpus]\ndefault = 0', 6),
        ('[[profile]]\nname = "a"\ncpus.default = 0', 3),
        ('hub.url = "http://a"\nhub.nonsense = 1', 2),
        ('hub = { url = "http://a", nonsense = 1 }', 1),
        ('"hub"."url" = "x"', 1),
        ("'hub'.\"\\u0075rl\" = 'x'", 1),
        ('[cluster]\nmain.scheduler = "slurm"\nmain.nonsense = 1', 3),
        ('[[profile]]\nname = "a"\nprologue = """\na\nb\n"""\nnonsense = 1', 7),
        ('[[profile]]\nname = "a"\nallow = [\n  # a comment\n  "alice",\n  "a:b",\n]', 6),
    ],
)
def test_a_mistake_is_found_in_every_way_to_write_toml(text: str, line: int) -> None:
    assert line in [problem.line for problem in failure(text).problems if "missing" not in problem.message]


def test_a_password_in_a_url_is_not_repeated() -> None:
    error = failure(OF_A_SITE.replace(URL, '"https://me:hunter2@h"'))
    assert [problem.line for problem in error.problems] == [2]
    assert "hunter2" not in str(error)


LINES = OF_EVERYTHING.splitlines()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(LINES) - 1),
    st.sampled_from(
        ["", "]", "= 1", '"', "x = {", "[[profile]]", "[hub]", "cpus = []", "x.y = 1", "{}", "\x01", "é"]
    ),
    st.booleans(),
)
def test_no_damage_to_a_good_file_gives_anything_but_a_site_or_an_explanation(
    number: int, damage: str, replace: bool
) -> None:
    lines = [*LINES[:number], damage, *LINES[number + replace :]]
    try:
        parse("\n".join(lines), PLACE)
    except ClusterhubError as error:
        text = str(error)
        assert [word for word in JARGON if word in text.lower()] == []


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([line.split(" = ")[0] for line in LINES if " = " in line]),
    st.sampled_from(["hub", "login", "cluster.main", "environment", "sessions", "[profile]"]),
    st.sampled_from(
        ["1", "-1", "true", '""', '"x"', "[]", "{}", "[1]", "{ a = 1 }", "1.5", "nan", "2020-01-01", "[[]]"]
    ),
)
def test_no_value_of_any_key_gives_anything_but_a_site_or_an_explanation(
    key: str, table: str, value: str
) -> None:
    with pytest.raises(ClusterhubError) as caught:
        parse(f"[{table}]\n{key} = {value}\n", PLACE)
    assert [word for word in JARGON if word in str(caught.value).lower()] == []
    assert "cannot be used here" not in str(caught.value), "every kind of mistake has words of its own"
