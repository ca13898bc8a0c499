"""Durations, sizes and counts: read from people's words, and written back to people.

Both `site.toml` and the choices that persons make come through here, so that `4h` means one thing everywhere.
"""

from __future__ import annotations

import re

from clusterhub.errors import ClusterhubError

DURATION_ALLOWED = 'a duration such as "30s", "90min", "4h", "1d12h", or Slurm\'s "04:00:00", "1-12:00:00"'
SIZE_ALLOWED = 'a size such as "500M", "4G", "4 GiB", "1.5 TiB"; the letters are powers of 1024, as in Slurm'

LONGEST_SECONDS = 10 * 365 * 86400
LARGEST_BYTES = 2**60
LARGEST_COUNT = 1_000_000
LONGEST_QUOTE = 60

_SECONDS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_UNIT_OF_WORD = {
    **dict.fromkeys(("w", "week", "weeks"), "w"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
}
_PART = r"[0-9]{1,9}\s*[A-Za-z]+"
DURATION_PATTERN = rf"^\s*({_PART}(\s*{_PART})*|[0-9]+-[0-9]+(:[0-9]+){{0,2}}|[0-9]+(:[0-9]+){{1,2}})\s*$"
_WITH_UNITS = re.compile(rf"{_PART}(\s*{_PART})*")
_ONE_PART = re.compile(r"([0-9]+)\s*([A-Za-z]+)")
_SLURM = re.compile(
    r"(?P<days>[0-9]{1,9})-(?P<day_rest>[0-9]{1,9}(:[0-9]{1,9}){0,2})|(?P<clock>[0-9]{1,9}(:[0-9]{1,9}){1,2})"
)

_POWER = {"K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
SIZE_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*([KMGTPkmgtp]([iI]?[bB])?)\s*$"
_SIZE = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?\s*([KMGTP])(?:I?B)?", re.IGNORECASE)


class Refused(ClusterhubError, ValueError):
    """A value that cannot be used: what is wrong with it, and what is allowed instead."""

    def __init__(
        self, what: str, allowed: str = "", *, at: tuple[str | int, ...] = (), secret: bool = False
    ) -> None:
        super().__init__(what, next=f"give {allowed}" if allowed else "")
        self.what = what
        self.allowed = allowed
        self.at = at
        """Which part of a table or list is meant; empty for the value as a whole."""
        self.secret = secret
        """The value may hold a secret: neither it nor its line in the file is to be shown."""


def quoted(text: str) -> str:
    """The text in quotes to show to a person: cut where it is long, control characters made visible."""
    shown = text if len(text) <= LONGEST_QUOTE else f"{text[: LONGEST_QUOTE - 3]}..."
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown) + '"'


def parse_duration(text: str) -> int:
    """Seconds. Reads `4h`, `1d12h`, `90min`, `2h30m` (m is minutes) and Slurm's own forms.

    Slurm's forms are those of sbatch(1), --time: `minutes:seconds`, `hours:minutes:seconds`, `days-hours`,
    `days-hours:minutes`, `days-hours:minutes:seconds`. A bare number, which sbatch reads as minutes, is
    refused: too many programs read it as seconds. Raises `Refused`.
    """
    given = text.strip()
    if re.fullmatch(r"[0-9]+", given):
        raise Refused(
            f"{quoted(text)} has no unit, so it could be minutes or seconds",
            f'a unit with it: "{given[:9]}min" or "{given[:9]}s"',
        )
    if given.lower() in ("unlimited", "infinite"):
        raise Refused("a duration without end is not possible", DURATION_ALLOWED)
    if _WITH_UNITS.fullmatch(given):
        seconds = _with_units(text, given)
    elif match := _SLURM.fullmatch(given):
        seconds = _slurm_seconds(match)
    else:
        raise Refused(f"{quoted(text)} is not a duration", DURATION_ALLOWED)
    if seconds > LONGEST_SECONDS:
        raise Refused(f"{quoted(text)} is longer than ten years", DURATION_ALLOWED)
    return seconds


def _with_units(text: str, given: str) -> int:
    seconds = 0
    smallest = max(_SECONDS.values()) + 1
    for number, word in _ONE_PART.findall(given):
        unit = _UNIT_OF_WORD.get(word.lower())
        if unit is None:
            raise Refused(
                f"{quoted(word)} in {quoted(text)} is not a unit of time", "w, d, h, min (or m) or s"
            )
        if _SECONDS[unit] >= smallest:
            raise Refused(
                f"{quoted(text)} is not a duration: each unit comes once, the largest first", DURATION_ALLOWED
            )
        smallest = _SECONDS[unit]
        seconds += int(number) * smallest
    return seconds


def _slurm_seconds(match: re.Match[str]) -> int:
    if match["days"] is not None:
        hours, minutes, seconds, *_ = (*map(int, match["day_rest"].split(":")), 0, 0)
        return ((int(match["days"]) * 24 + hours) * 60 + minutes) * 60 + seconds
    total = 0
    for part in match["clock"].split(":"):
        total = total * 60 + int(part)
    return total


def format_duration(seconds: int) -> str:
    """The duration in the words of `site.toml`: `1d12h`, `1h30min`, `30s`."""
    parts = []
    rest = seconds
    for unit, name in (("d", "d"), ("h", "h"), ("m", "min"), ("s", "s")):
        number, rest = divmod(rest, _SECONDS[unit])
        if number:
            parts.append(f"{number}{name}")
    return "".join(parts) or "0s"


def parse_size(text: str) -> int:
    """Bytes. K, M, G, T and P are powers of 1024, with `iB`, with `B`, or alone.

    Slurm reads `--mem=4G` as 4096 MiB; a GB of 1000**3 beside it would surprise everybody. A bare number,
    which sbatch reads as megabytes, is refused. Raises `Refused`.
    """
    given = text.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", given):
        raise Refused(
            f"{quoted(text)} has no unit, so it could be bytes, megabytes or gigabytes",
            f'a unit with it: "{given[:9]} MiB" or "{given[:9]} GiB"',
        )
    match = _SIZE.fullmatch(given)
    if match is None:
        raise Refused(f"{quoted(text)} is not a size", SIZE_ALLOWED)
    whole, fraction, letter = match.groups()
    unit: int = 1024 ** _POWER[letter.upper()]
    size = int(whole) * unit
    if fraction:
        size += int(fraction) * unit // 10 ** len(fraction)
    if size > LARGEST_BYTES:
        raise Refused(f"{quoted(text)} is more than 1024 PiB", SIZE_ALLOWED)
    return size


def format_size(size: int) -> str:
    """The size in the words of `site.toml`, in the largest unit that says it in two decimals: `1.5 GiB`.

    A size that no unit says exactly is shown in `bytes`, which `parse_size` does not read.
    """
    for letter in "PTGMK":
        unit = 1024 ** _POWER[letter]
        if size >= unit and size * 100 % unit == 0:
            hundredths = size * 100 // unit
            number = f"{hundredths // 100}.{hundredths % 100:02}".rstrip("0").rstrip(".")
            return f"{number} {letter}iB"
    return f"{size} bytes"


def parse_count(text: str) -> int:
    """A whole number of things, zero or more, from its digits. Raises `Refused`."""
    given = text.strip()
    if not re.fullmatch(r"[0-9]{1,7}", given) or int(given) > LARGEST_COUNT:
        raise Refused(f"{quoted(text)} is not a whole number", f"a whole number up to {LARGEST_COUNT}")
    return int(given)
