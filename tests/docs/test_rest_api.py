"""The page on the REST API names exactly what the hub answers."""

import re
from pathlib import Path

from clusterhub.errors import Explanation
from clusterhub.hub.endings import HANDLERS, KEPT_DAYS
from clusterhub.schedulers.model import Outcome
from clusterhub.spawner.ending_store import Ending

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rest-api.md"


def test_the_fields_of_an_ending_are_documented_exactly() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [a-z ]+ \|", PAGE.read_text(), flags=re.MULTILINE)
    assert rows == list(Ending(Explanation(""), "", 0.0).as_json())


def test_every_outcome_is_documented() -> None:
    [row] = [line for line in PAGE.read_text().splitlines() if line.startswith("| `outcome`")]
    assert {outcome.value for outcome in Outcome} == set(re.findall(r"`([a-z ]+)`", row)) - {"outcome"}


def test_the_addresses_and_the_time_are_documented() -> None:
    text = PAGE.read_text()
    for path in ("/hub/api/clusterhub/endings/{user}", "/hub/api/clusterhub/endings/{user}/{server}"):
        assert f"{path}`" in text
        asked = path.removeprefix("/hub").format(user="alice", server="analysis")
        assert any(re.fullmatch(pattern, asked) for pattern, _ in HANDLERS)
    assert f"kept for {KEPT_DAYS} days" in text
