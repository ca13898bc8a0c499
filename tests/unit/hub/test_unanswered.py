"""Whose session it is that the proxy could not reach."""

from __future__ import annotations

import pytest

from clusterhub.hub.unanswered import person_of


@pytest.mark.parametrize(
    ("url", "person"),
    [
        ("/user/alice/lab", "alice"),
        ("/user/alice", "alice"),
        ("/prefix/user/alice/second/lab?reset", "alice"),
        ("/user/a%40b/", "a@b"),
        ("/hub/home", ""),
        ("/services/grader/", ""),
        ("", ""),
    ],
)
def test_the_person_is_read_from_the_address(url: str, person: str) -> None:
    assert person_of(url) == person
