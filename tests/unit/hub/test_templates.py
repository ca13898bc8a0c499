"""Every template can be read by Jinja, as the hub does it.

Fails where two who changed one template both added a block of that name, which ends every page in an error.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader

from clusterhub.hub.configure import TEMPLATES
from clusterhub.hub.jupyterhub_texts import TEMPLATES as JUPYTERHUBS
from clusterhub.hub.page_policy import MarkedScripts
from clusterhub.hub.speaking import Translated


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_a_template_can_be_read(path: Path) -> None:
    theirs = FileSystemLoader(JUPYTERHUBS)
    loader = ChoiceLoader([PrefixLoader({"templates": theirs}), FileSystemLoader(TEMPLATES), theirs])
    environment = Environment(loader=loader, autoescape=True, extensions=[MarkedScripts, Translated])
    environment.get_template(path.name)
