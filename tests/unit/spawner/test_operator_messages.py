"""What operators say reaches a person's pages for a day, outlives the hub, and grows no further than it must.

Without the bounds of `plain` and MOST, one form could fill the pages and the answers to a person's sessions.
"""

from __future__ import annotations

from pathlib import Path

from clusterhub.spawner.operator_messages import KEPT, LONGEST, MOST, OperatorMessages


def texts(messages: OperatorMessages, person: str) -> list[str]:
    return [each.text for each in messages.to(person)]


def test_a_message_is_shown_to_its_person_until_it_is_dismissed(tmp_path: Path) -> None:
    messages = OperatorMessages(tmp_path / "m.json")
    assert messages.send("alice", "Please save:\n the node goes down.")
    assert texts(messages, "alice") == ["Please save: the node goes down."]
    assert texts(messages, "bob") == []
    messages.dismiss("bob", messages.to("alice")[0].id)
    messages.dismiss("alice", "another")
    assert texts(OperatorMessages(tmp_path / "m.json"), "alice") == texts(messages, "alice")
    messages.dismiss("alice", messages.to("alice")[0].id)
    assert texts(OperatorMessages(tmp_path / "m.json"), "alice") == []
    assert (tmp_path / "m.json").stat().st_mode & 0o077 == 0


def test_it_is_bounded_and_ends_by_itself(tmp_path: Path) -> None:
    now = [0.0]
    messages = OperatorMessages(tmp_path / "m.json", lambda: now[0])
    assert not messages.send("alice", " \n\x00")
    for number in range(MOST + 2):
        messages.send("alice", f"{number} \x1b[31m" + "x" * 2 * LONGEST)
    assert [text[0] for text in texts(messages, "alice")] == [str(number) for number in range(2, MOST + 2)]
    assert all(len(text) <= LONGEST and text.isprintable() for text in texts(messages, "alice"))
    now[0] = KEPT + 1
    assert texts(messages, "alice") == []
    messages.send("bob", "hello")
    assert "alice" not in (tmp_path / "m.json").read_text()


def test_a_file_that_cannot_be_used_costs_the_messages_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("[{]")
    assert OperatorMessages(tmp_path / "m.json").to("alice") == ()
    away = OperatorMessages(tmp_path / "missing" / "m.json")
    assert away.send("alice", "hello")
    assert texts(away, "alice") == ["hello"]
