"""A site's colours can be seen and read. With LEAST_CONTRAST at 1 the pale ones are taken."""

from __future__ import annotations

import pytest

from clusterhub.site.colours import COLOUR, COLOUR_IN_THE_DARK, contrast, readable_on
from clusterhub.site.pages import LINK
from clusterhub.site.quantities import Refused


def test_contrast_is_that_of_wcag() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54


@pytest.mark.parametrize("colour", ["#00558c", "#f37524", "#ffffff", "#767676", "#808080"])
def test_what_is_written_on_a_colour_can_be_read(colour: str) -> None:
    assert contrast(readable_on(colour), colour) >= 4.5


@pytest.mark.parametrize("given", ["#ffee00", "#eeeeee", "blue", "#12", "#00558g", 7])
def test_a_colour_that_is_lost_on_a_white_page_is_refused(given: object) -> None:
    with pytest.raises(Refused):
        COLOUR.read(given)


def test_a_colour_that_is_lost_on_a_dark_page_is_refused() -> None:
    assert COLOUR.read("#00558C") == "#00558c"
    with pytest.raises(Refused, match="contrast"):
        COLOUR_IN_THE_DARK.read("#00558c")


@pytest.mark.parametrize(
    "given", ["https://example.org/a?b=c", "mailto:help@example.org", "/files/help.html"]
)
def test_a_link_leads_to_a_page(given: str) -> None:
    assert LINK.read(given) == given


@pytest.mark.parametrize(
    "given", ["javascript:alert(1)", "//evil.example", "data:text/html,x", 'https://a"b', ""]
)
def test_a_link_that_is_a_script_is_refused(given: str) -> None:
    with pytest.raises(Refused):
        LINK.read(given)
