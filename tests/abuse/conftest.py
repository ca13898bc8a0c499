"""Fixtures of this suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.abuse.https_hub import Front, chromium, https_front
from tests.real_cluster import RealCluster
from tests.unit.privileged.own_helper import own_helper

__all__ = ["own_helper"]


@pytest.fixture(scope="module")
def subdomains() -> bool:
    """Whether the sessions behind `front` have names of their own; files say otherwise."""
    return False


@pytest.fixture(scope="module")
def front(cluster: RealCluster, _hub_of_somebody: None, subdomains: bool) -> Iterator[Front]:
    """The hub by HTTPS."""
    with https_front(cluster, subdomains=subdomains) as front:
        yield front


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that finds it."""
    with chromium() as browser:
        yield browser
