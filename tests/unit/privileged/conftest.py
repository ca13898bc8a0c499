"""Fixtures of this suite."""

from __future__ import annotations

from tests.unit.privileged.own_helper import own_helper

__all__ = ["own_helper"]
