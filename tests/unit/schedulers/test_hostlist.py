"""Slurm's short form for many hosts."""

from __future__ import annotations

import pytest

from clusterhub.schedulers.hostlist import expand_hostlist


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ()),
        ("n1", ("n1",)),
        ("n1,m1", ("n1", "m1")),
        ("n[1-3,5],m1", ("n1", "n2", "n3", "n5", "m1")),
        ("n[08-11]", ("n08", "n09", "n10", "n11")),
        ("r[1-2]n[1-2]", ("r1n1", "r1n2", "r2n1", "r2n2")),
        ("n[1-2]-ib", ("n1-ib", "n2-ib")),
        ("gpu-a.example.org", ("gpu-a.example.org",)),
    ],
)
def test_a_list_is_expanded_in_its_order(text: str, hosts: tuple[str, ...]) -> None:
    assert expand_hostlist(text) == hosts


@pytest.mark.parametrize(
    "text", ["n[1-", "n1]", "n[[1]]", "n[a-b]", "n[]", "n[1-99999999]", "n[1-999][1-999]"]
)
def test_a_list_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        expand_hostlist(text)
