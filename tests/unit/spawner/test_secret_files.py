"""A secret is whole or not there, the same for everybody who asks, and never one that anybody can guess."""

import os
from pathlib import Path

import pytest

from clusterhub.errors import ClusterhubError
from clusterhub.spawner import tickets
from clusterhub.spawner.secret_files import ensure_secret


def test_a_secret_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "proxy_token"
    secret = ensure_secret(path)
    assert len(secret) == 64
    assert ensure_secret(path) == secret
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("left", ["", "\n", "abc", "é" * 64])
def test_what_a_crash_or_a_person_left_is_refused_and_not_overwritten(tmp_path: Path, left: str) -> None:
    path = tmp_path / "ticket.key"
    path.write_text(left, encoding="utf-8")
    for ensure in (ensure_secret, tickets.ensure_key):
        with pytest.raises(ClusterhubError, match="secret") as refused:
            ensure(path)
        assert refused.value.explanation.where == str(path)
        assert "Delete" in refused.value.explanation.next
    assert path.read_text(encoding="utf-8") == left


def test_a_key_is_the_same_at_each_start_and_hexadecimal(tmp_path: Path) -> None:
    path = tmp_path / "ticket.key"
    assert tickets.ensure_key(path) == tickets.ensure_key(path)
    assert len(tickets.ensure_key(path)) == 32
    path.write_text("z" * 64)
    with pytest.raises(ClusterhubError, match="hexadecimal"):
        tickets.ensure_key(path)


def test_who_comes_second_reads_what_the_first_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "proxy_token"
    link = os.link

    def overtaken(source: str, target: Path) -> None:
        target.write_text("f" * 64)
        link(source, target)

    monkeypatch.setattr(os, "link", overtaken)
    assert ensure_secret(path) == "f" * 64
    assert list(tmp_path.iterdir()) == [path]
