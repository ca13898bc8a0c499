"""The page on how it is made has a line for every room of the package; the test names one that has none."""

import re

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "explanation" / "design.md"
PACKAGE = ROOT / "src" / "clusterhub"


def test_every_room_is_on_the_page() -> None:
    rooms = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    section = PAGE.read_text().split("\n## Where things are\n")[1]
    assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == rooms
