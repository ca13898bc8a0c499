"""Whose word counts for the language. Without the loop over regions the Swiss are told English."""

from __future__ import annotations

import pytest

from clusterhub.languages.preference import preferred

OFFERED = ("da", "en", "fi", "nb", "sv")


@pytest.mark.parametrize(
    ("chosen", "asked", "expected"),
    [
        ("fi", "sv", "fi"),
        (None, "sv-FI,sv;q=0.9,en;q=0.5", "sv"),
        (None, "en;q=0.5,fi;q=0.9", "fi"),
        (None, "de-CH, fr;q=0.9", "en"),
        (None, "no", "nb"),
        (None, "nn-NO,en;q=0.8", "nb"),
        (None, "SV", "sv"),
        (None, "sv;q=0, fi", "fi"),
        (None, "", "en"),
        ("xx", "fi", "fi"),
        (None, "sv;q=x,,;;,fi", "fi"),
        (None, "*", "en"),
    ],
)
def test_a_choice_goes_before_the_browser_and_that_before_the_site(
    chosen: str | None, asked: str, expected: str
) -> None:
    assert preferred(OFFERED, chosen, asked, "en") == expected
