"""The page on the REST API names exactly what the hub answers."""

import re
from pathlib import Path

from clusterhub.errors import Explanation
from clusterhub.hub.endings import HANDLERS as ENDINGS
from clusterhub.hub.endings import KEPT_DAYS
from clusterhub.hub.sessions import HANDLERS as SESSIONS
from clusterhub.schedulers.model import Outcome, Snapshot
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.spawner.ending_store import Ending
from clusterhub.spawner.session_state import STATES, session_state

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rest-api.md"


def section(name: str) -> str:
    """What the page says of that address."""
    heading = f"## `GET /hub/api/clusterhub/{name}/"
    return PAGE.read_text().partition(heading)[2].partition("\n## ")[0]


def fields_of(name: str) -> list[str]:
    """The fields of the answer of that address, as the page has them."""
    return re.findall(r"^\| `(\w+)` \| [a-z ]+ \|", section(name), flags=re.MULTILINE)


def test_the_fields_of_an_ending_are_documented_exactly() -> None:
    assert fields_of("endings") == list(Ending(Explanation(""), "", 0.0).as_json())


def test_the_fields_and_states_of_a_session_are_documented_exactly() -> None:
    state = session_state(
        cluster="main",
        profile="small",
        job_id="",
        serves=False,
        scheduler=SlurmScheduler(),
        snapshot=Snapshot(),
        now=0.0,
    )
    assert fields_of("sessions") == list(state.as_json())
    [row] = [line for line in section("sessions").splitlines() if line.startswith("| `state`")]
    assert tuple(re.findall(r"`([a-z]+)`", row))[1:] == STATES


def test_every_outcome_is_documented() -> None:
    [row] = [line for line in PAGE.read_text().splitlines() if line.startswith("| `outcome`")]
    assert {outcome.value for outcome in Outcome} == set(re.findall(r"`([a-z ]+)`", row)) - {"outcome"}


def test_the_addresses_and_the_time_are_documented() -> None:
    text = PAGE.read_text()
    for name, handlers in (("endings", ENDINGS), ("sessions", SESSIONS)):
        for rest in ("{user}", "{user}/{server}"):
            path = f"/hub/api/clusterhub/{name}/{rest}"
            assert f"{path}`" in text
            asked = path.removeprefix("/hub").format(user="alice", server="analysis")
            assert any(re.fullmatch(pattern, asked) for pattern, _ in handlers)
    assert f"kept for {KEPT_DAYS} days" in text
