"""Slurm's short form for many hosts: ``n[1-3,05],m1`` stands for n1 n2 n3 n05 m1."""

from __future__ import annotations

import itertools
import re

LARGEST = 65536
"""More hosts than this in one list is a garbled answer (Slurm's own limit for one expression is 64 Ki)."""
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def expand_hostlist(text: str) -> tuple[str, ...]:
    """The hosts in the list's order. Raises ValueError for a list that cannot be read."""
    hosts: list[str] = []
    for item in _split(text):
        hosts.extend(_expand(item))
        if len(hosts) > LARGEST:
            raise ValueError(f"more than {LARGEST} hosts")
    return tuple(hosts)


def _split(text: str) -> list[str]:
    """Cut at the commas that are outside brackets."""
    items: list[str] = []
    depth = 0
    start = 0
    for position, character in enumerate(text):
        if character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
        elif character == "," and depth == 0:
            items.append(text[start:position])
            start = position + 1
        if depth not in (0, 1):
            raise ValueError(f"unbalanced brackets in host list {text!r}")
    if depth:
        raise ValueError(f"unbalanced brackets in host list {text!r}")
    items.append(text[start:])
    return [item for item in items if item]


def _expand(item: str) -> list[str]:
    """One host name with any number of bracketed parts, such as ``r[1-2]n[01-16]``."""
    parts: list[list[str]] = []
    for piece in re.split(r"(\[[^\]]*\])", item):
        if piece.startswith("["):
            parts.append([number for word in piece[1:-1].split(",") for number in _numbers(word)])
        else:
            parts.append([piece])
    count = 1
    for part in parts:
        count *= len(part)
    if count > LARGEST:
        raise ValueError(f"more than {LARGEST} hosts")
    return ["".join(words) for words in itertools.product(*parts)]


def _numbers(word: str) -> list[str]:
    match = _RANGE.fullmatch(word)
    if match is None:
        raise ValueError(f"cannot read {word!r} in a host list")
    first, last = match[1], match[2] or match[1]
    if int(last) - int(first) >= LARGEST:
        raise ValueError(f"more than {LARGEST} hosts")
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
