"""The reference of announcements.toml, written from the schema; `scripts/reference` makes the page."""

from __future__ import annotations

from clusterhub.site.announcements import Announcement
from clusterhub.site.reference import section_lines

_INTRODUCTION = """\
# announcements.toml

What the hub's pages tell everybody, also on the login page. The hub reads the file again within seconds after
it was changed, and needs no restart ([how to announce something](../how-to/announce.md)). Where the file has
a mistake, the pages go on telling what it said before, and operators see on their pages what is wrong.

<!-- Made by `scripts/reference` from the descriptions in src/clusterhub/site/announcements.py. -->

```toml
# announcements.toml
[[announcement]]
level = "warning"
text = "The file system is slow today. We are working on it."
link = "https://status.example.org"
ends = 2026-12-01T18:00:00+01:00
```

Times are TOML's own, without quotes. One without a time zone is of the hub's machine.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_INTRODUCTION, *section_lines(Announcement)]).rstrip() + "\n"
