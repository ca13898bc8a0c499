"""environment.toml: what it can say, and each mistake with its line, in words.

Fails where a check of the schema is taken out (the mistake is then not named), or where mistakes are looked
up in the tables of site.toml (the allowed keys are then those of a site).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterhub.environments import curated
from clusterhub.environments.loading import SpecificationError, load, parse
from clusterhub.errors import ClusterhubError

FILE = Path("environment.toml")
ROOT = Path(__file__).resolve().parents[3]


def test_nothing_said_is_the_default_list_with_a_python_of_its_own() -> None:
    specification = parse("", FILE)
    assert specification.environment.python == "3.12"
    assert specification.requirements == curated.requirements("default")


def test_what_is_left_out_is_left_out_whatever_its_spelling() -> None:
    text = (
        '[environment]\nwithout = ["JupyterLab_Git"]\npackages = ["numpy"]\nextensions = ["jupyterlmod>=5"]'
    )
    requirements = parse(text, FILE).requirements
    assert not any(each.startswith("jupyterlab-git") for each in requirements)
    assert requirements[-2:] == ("numpy", "jupyterlmod>=5")


def test_the_minimal_list_is_what_a_session_needs_and_pip() -> None:
    lines = (ROOT / "requirements" / "session.in").read_text().splitlines()
    assert curated.requirements("minimal") == (*(line for line in lines if line[0] != "#"), "pip")


@pytest.mark.parametrize(
    ("text", "line", "said", "allowed"),
    [
        ("[enviroment]", 1, 'did you mean "environment"?', "environment, source, kernel"),
        ("[environment]\npython = 3.12", 2, "needs quotes", "3.12"),
        ('[environment]\npython = "2.7"', 2, "neither a version of Python nor a path", "/usr/bin/python3"),
        ('[environment]\npython = "python3"', 2, "neither a version", "/usr/bin/python3"),
        ('[environment]\ninclude = "defualt"', 2, 'did you mean "default"?', "minimal"),
        ('[environment]\nwithout = ["numpy"]', 2, 'is not in the list "default"', "jupyterlab-git"),
        ('[environment]\npackages = ["--index-url=x"]', 2, "is not a package", "scipy"),
        ('[environment]\npackages = ["a @ https://example.org/a.whl"]', 2, "is not a package", "scipy"),
        ('[environment]\npackages = ["a\\n-e ."]', 2, "is not a package", "scipy"),
        ('[environment]\npackages = "numpy"', 2, "is not a list", "numpy"),
        ("[source]\noffline = true", 2, "offline needs wheels", "wheels ="),
        ('[source]\noffline = "yes"', 2, "neither true nor false", "without quotes"),
        ('[source]\nwheels = "wheels"', 2, "does not begin at the root", "/shared"),
        ('[source]\nindex = "pypi"', 2, "is not the URL of an index", "https://"),
        ('[kernel.Science]\ntitle = "x"', 1, "is not a name", "lower-case"),
        ("[kernel.science]\npakages = []", 2, 'did you mean "packages"?', "title, packages"),
        ("[kernel]\nscience = 1", 2, "is not a table", "[kernel.NAME]"),
        ("[environment]\npython = ", 2, "there is nothing where a value should be", "quotes"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_allowed(
    text: str, line: int, said: str, allowed: str
) -> None:
    with pytest.raises(SpecificationError) as caught:
        parse(text, FILE)
    (problem,) = caught.value.problems
    assert problem.line == line
    assert said in problem.message
    assert allowed in problem.allowed
    assert "then build again" in str(caught.value)


def test_a_password_in_an_index_is_refused_and_not_shown() -> None:
    with pytest.raises(SpecificationError) as caught:
        parse('[source]\nindex = "https://me:hunter2@example.org/simple"', FILE)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ClusterhubError, match="no such environment file"):
        load(tmp_path / "environment.toml")
