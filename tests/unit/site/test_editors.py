"""The JSON Schema by which editors complete and check a site file."""

from __future__ import annotations

import json
import sys
from typing import Any

import jsonschema
import pytest
from tests.unit.site.examples import OF_A_SITE, OF_EVERYTHING, OF_ONE_MACHINE

from clusterhub.site.editors import json_schema
from clusterhub.site.schema import Site

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "text",
    [OF_A_SITE, OF_EVERYTHING, OF_ONE_MACHINE],
    ids=["the example", "everything", "one machine"],
)
def test_good_files_are_good_to_an_editor(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert [error.message for error in validator.iter_errors(tomllib.loads(text))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[hub]\n", "[hub]\nadimns = []\n"),
        ("[login]", "[logins]"),
        ("{ default = 1, max = 8 }", "{ default = 1, maximum = 8 }"),
        ("{ default = 1, max = 8 }", '"8"'),
        ("{ default = 1, max = 8 }", "0"),
        ('"32 GiB"', '"32 XiB"'),
        ('"1d"', '"one day"'),
        ('"1d"', '"240"'),
        ('"slurm"', '"slrum"'),
        ('name = "gpu"\n', ""),
        ('partition = "gpu"', 'partition = ["a b"]'),
        ('["@gpu-users"]', '"@gpu-users"'),
        ('["@gpu-users"]', '["@gpu-users", "@gpu-users"]'),
    ],
)
def test_mistakes_are_mistakes_to_an_editor(
    validator: jsonschema.Draft202012Validator, old: str, new: str
) -> None:
    assert old in OF_A_SITE
    assert not validator.is_valid(tomllib.loads(OF_A_SITE.replace(old, new, 1)))


def descriptions_in(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        own = list(node["properties"].values()) if isinstance(node.get("properties"), dict) else []
        return own + [found for value in node.values() for found in descriptions_in(value)]
    return [found for value in node for found in descriptions_in(value)] if isinstance(node, list) else []


def test_every_key_is_described_with_an_example_in_the_words_of_the_file() -> None:
    keys = descriptions_in(json_schema())
    assert len(keys) > len(Site.model_fields)
    for key in keys:
        assert key["description"]
        assert key["examples"]


def test_the_examples_are_whole_and_allowed_where_they_stand() -> None:
    schema = json_schema()
    for key in descriptions_in(schema):
        validator = jsonschema.Draft202012Validator({**key, "$defs": schema["$defs"]})
        for example in key["examples"]:
            assert validator.is_valid(example), key
    profile = schema["$defs"]["Profile"]["properties"]
    assert profile["time"]["examples"] == [{"default": "4h", "max": "1d"}]


def test_the_schema_says_nothing_that_toml_cannot() -> None:
    assert '"null"' not in json.dumps(json_schema())
