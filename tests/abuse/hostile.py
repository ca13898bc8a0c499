"""What attackers write, and ways to put it where something else belongs. Cheap enough for 100,000 calls."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

FRAGMENTS = (
    *(
        "\n",
        "\r",
        "\t",
        "\0",
        " ",
        "  ",
        "\x1b[2J",
        "\x7f",
        "\u2028",
        "\ufeff",
        "\u202e",
        "\ud800",
        "é",
        "\uff11",
    ),
    *[
        "'",
        '"',
        "`",
        "\\",
        "$",
        "$(id)",
        "${HOME}",
        "`id`",
        ";",
        "&&",
        "|",
        ">",
        "<",
        "*",
        "?",
        "~",
        "!",
        "#",
        "/",
        "//",
        "..",
        "../",
        "../../etc/passwd",
        "/etc/cron.d/x",
    ],
    *[
        "./",
        ".",
        "%",
        "%u",
        "%j",
        "%A",
        "{job}",
        "{0}",
        "-",
        "--",
        "=",
        ",",
        ":",
        "::",
        "@",
        "@/etc/shadow",
        "+",
        "root",
        "bob",
        "alice",
        "0",
        "-1",
        "4294967295",
    ],
    *(
        "#SBATCH --uid=0",
        "\n#SBATCH --output=/etc/x\n",
        "\n#PBS -o /etc/x\n",
        "<script>",
        "__proto__",
        "None",
    ),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, float("nan"), float("inf"), 2**31, 2**63, 2**64, 10**4000),
    *("", " ", "\0", "\n", "a" * 70, "a" * 200, "a" * 2000, "a" * 9000, "\uff11\uff17"),
    *([], [[]], ["a"], [None], {}, {"a": {}}, {"name": "x"}),
)


def hostile_text(random: Random, text: str) -> str:
    """The text with something done to it."""
    place = random.randrange(len(text) + 1)
    match random.randrange(8):
        case 0 | 1 | 2:
            return text[:place] + random.choice(FRAGMENTS) + text[place:]
        case 3:
            return text + random.choice(FRAGMENTS)
        case 4:
            return random.choice(FRAGMENTS) + text
        case 5:
            return text[:place]
        case 6:
            return text.swapcase()
        case _:
            return text[:place] + text[place:][::-1]


def hostile_value(random: Random, depth: int = 0) -> Any:
    """Anything that JSON can carry, some of it nested."""
    kind = random.randrange(6)
    if kind == 0 and depth < 4:
        return [hostile_value(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 1 and depth < 4:
        keys = ("verb", "person", "name", "argv", "", "\0", "__class__")
        return {random.choice(keys): hostile_value(random, depth + 1) for _ in range(random.randrange(3))}
    if kind == 2:
        return hostile_text(random, random.choice(("alice", "17", "default-17.log", "--uid=0")))
    if kind == 3:
        return random.choice(FRAGMENTS)
    return deepcopy(random.choice(VALUES))


def hostile_inside(random: Random, value: Any) -> Any:
    """The value with one of its leaves, or itself, made hostile."""
    if isinstance(value, list) and value and random.random() < 0.9:
        copy = list(value)
        place = random.randrange(len(copy))
        copy[place] = hostile_inside(random, copy[place])
        return copy
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        return {**value, key: hostile_inside(random, value[key])}
    if isinstance(value, str) and random.random() < 0.8:
        return hostile_text(random, value)
    return hostile_value(random)
