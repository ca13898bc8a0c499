"""Times on pages: in the hub's time zone, which static/times.js turns into the person's own."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from markupsafe import Markup


def time_element(moment: float, *, seconds: bool = False, now: float | None = None) -> Markup:
    """A time in seconds since the epoch as HTML; with its day where that is another one than today."""
    then, today = time.localtime(moment), time.localtime(now)
    day = "" if then[:3] == today[:3] else "%a %d %b, "
    words = time.strftime(f"{day}{'%H:%M:%S' if seconds else '%H:%M'} %Z", then)
    exact = datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")
    return Markup('<time datetime="{}"{}>{}</time>').format(
        exact, Markup(" data-seconds") if seconds else "", words.strip()
    )


def length_words(seconds: float) -> str:
    """A length of time as a clock shows it: 0:07, 1:02:30."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
