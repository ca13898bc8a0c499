"""The JSON Schema of site.toml, by which editors complete and check it."""

from __future__ import annotations

from typing import Any

from clusterhub.site.schema import Site

_LEFT_OUT = ("default", "title", "x-default")

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """JSON Schema of `site.toml`: keys and forms of values. What holds between tables only `load` checks."""
    schema: dict[str, Any] = _tidied(Site.model_json_schema())
    schema["required"] = [*schema["required"], "cluster", "profile"]
    return {"$schema": DIALECT, **schema, "title": "site.toml of clusterhub"}


def _tidied(node: Any) -> Any:
    """Without what TOML cannot say (null), and without defaults in the program's own units."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    alternatives = node.get("anyOf")
    tidied = {name: _tidied(value) for name, value in node.items() if name not in _LEFT_OUT}
    if "examples" in node:  # which are the file's own words already
        tidied["examples"] = node["examples"]
    if "properties" in node:  # whose names are the file's keys, and may be any word
        tidied["properties"] = {name: _tidied(value) for name, value in node["properties"].items()}
        tidied.pop("description", None)  # of the class, for who reads the code
    if isinstance(alternatives, list):
        left = [_tidied(item) for item in alternatives if item != {"type": "null"}]
        del tidied["anyOf"]
        tidied = {**left[0], **tidied} if len(left) == 1 else {**tidied, "anyOf": left}
    if "x-default" in node and "description" in node:
        tidied["description"] = f"{node['description']} Default: {node['x-default']}."
    return tidied
