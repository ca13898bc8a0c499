"""The reference of environment.toml, written from the schema; `scripts/reference` makes the page."""

from __future__ import annotations

from collections.abc import Iterator

from clusterhub.environments.curated import LISTS, requirements
from clusterhub.environments.schema import Specification
from clusterhub.site.mistakes import sections_in
from clusterhub.site.reference import section_lines

_INTRODUCTION = """\
# environment.toml

What `clusterhub environment build` builds. Keys that are not on this page are refused. An empty file, or
none, is the default list with Python 3.12.

<!-- Made by `scripts/reference` from the descriptions in src/clusterhub/environments. -->

## An example

```toml
# environment.toml
[environment]
python = "3.12"
packages = ["numpy", "matplotlib"]
extensions = ["jupyterlmod>=5.3"]
without = ["jupyterlab-slurm"]

[kernel.science]
title = "Python (science)"
packages = ["numpy<2", "scipy", "pandas"]
```

Packages are named as pip does: `"numpy"`, `"scipy>=1.14,<2"`. What they need themselves is found and pinned
by the build, with hashes.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    lines = [_INTRODUCTION]
    for field in Specification.model_fields.values():
        for section in sections_in(field.annotation):
            lines.extend(section_lines(section))
    lines.extend(_lists())
    return "\n".join(lines)


def _lists() -> Iterator[str]:
    yield "## Lists"
    yield ""
    for include in LISTS:
        if requirements(include):
            yield f"`{include}`: " + ", ".join(f"`{each}`" for each in requirements(include)) + "."
            yield ""
