"""What is translated in JupyterHub's templates is still in them.

Fails where a new JupyterHub says it in other words, or our marking does not find it any more.
"""

from __future__ import annotations

import pytest

from clusterhub.hub.jupyterhub_texts import TEMPLATES, TEXTS, marked


@pytest.mark.parametrize("text", TEXTS)
def test_jupyterhub_still_says_so(text: str) -> None:
    call = f'gettext("{text}")'
    assert any(call in marked(path.read_text(), str(path)) for path in TEMPLATES.glob("*.html"))


def test_a_page_says_which_language_it_is_in() -> None:
    path = TEMPLATES / "page.html"
    assert '<html lang="{{ clusterhub_language() }}">' in marked(path.read_text(), str(path))


def test_templates_of_others_are_left_alone() -> None:
    assert marked("<a>Home</a>", "/etc/clusterhub/templates/page.html") == "<a>Home</a>"
