"""The page on the REST API names exactly what the hub answers."""

import re
from pathlib import Path

from clusterhub.errors import Explanation
from clusterhub.hub.endings import HANDLERS as ENDINGS
from clusterhub.hub.endings import KEPT_DAYS
from clusterhub.hub.home import Card
from clusterhub.hub.overview import COLUMNS, Row
from clusterhub.hub.sessions import HANDLERS as SESSIONS
from clusterhub.hub.start_time import answer
from clusterhub.schedulers.capacity import Amount
from clusterhub.schedulers.model import Outcome, Snapshot
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.spawner.ending_store import Ending
from clusterhub.spawner.estimates import FRESH, PER_MINUTE, PERSON_PER_MINUTE
from clusterhub.spawner.free_now import FreeNow
from clusterhub.spawner.preset_store import MOST
from clusterhub.spawner.session_state import STATES, session_state

SECTION = re.MULTILINE | re.DOTALL
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rest-api.md"


def section(name: str) -> str:
    """What the page says of that address."""
    heading = rf"^## `(?:[A-Z]+ )?/hub/api/clusterhub/{name}/"
    found = re.search(rf"{heading}.*?(?=^## |\Z)", PAGE.read_text(), SECTION)
    assert found, name
    return found[0]


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


def test_what_the_start_page_asks_is_documented_exactly() -> None:
    free = FreeNow(Amount(), Amount(), {}, fits=True, taken_at=0.0).as_json()
    assert fields_of("free") == [*free, "html"]
    assert fields_of("estimate") == list(answer("now", ""))
    limits = (FRESH, PERSON_PER_MINUTE, PER_MINUTE)
    words = r"for (\d+) seconds. One person may ask (\d+) times .* (\d+)\ntimes"
    told = re.search(words, section("estimate"))
    assert told
    assert tuple(map(float, told.groups())) == limits
    assert f"more than {MOST} presets" in section("presets")


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


def test_the_fields_of_the_table_are_documented() -> None:
    text = PAGE.read_text().partition("## `GET /hub/api/clusterhub/sessions`")[2].partition("\n## ")[0]
    row = Row("alice", Card("", "", "running", ""), None, 0.0)
    assert set(re.findall(r"`([a-z]+)`", "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)))) == set(
        row.as_json()
    )
    assert list(row.words()) == list(row.keys()) == list(COLUMNS)
