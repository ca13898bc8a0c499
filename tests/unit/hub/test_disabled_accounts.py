"""Sessions end for an account that was disabled, and for nothing that is not known for sure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from clusterhub.errors import ClusterhubError
from clusterhub.hub.disabled_accounts import AT_ONCE, INTERVAL, LOOKS, DisabledAccounts
from clusterhub.privileged.broker import BrokerError
from clusterhub.schedulers.model import Job, JobState
from clusterhub.spawner.tags import Tag


class Hub:
    """A stand-in for clusters, broker and the hub's own API."""

    def __init__(self, *people: str) -> None:
        self.jobs = {
            name: Job(name, JobState.RUNNING, tag=str(Tag("hub", name, "")), person=name) for name in people
        }
        self.reasons: dict[str, str | Exception] = {}
        self.asked: list[str] = []
        self.stopped: list[str] = []
        self.noted: list[Any] = []
        self.explained: dict[str, str] = {}
        self.site = SimpleNamespace(clusters={"main": None}, hub=SimpleNamespace(id="hub"))
        self.watch = SimpleNamespace(snapshot=SimpleNamespace(jobs=self.jobs))
        self.audit = SimpleNamespace(note=self.noted.append)
        self.broker = self.endings = self

    def at_rest(self, _: str) -> Hub:
        return self

    async def why_disabled(self, person: str) -> str:
        self.asked.append(person)
        reason = self.reasons.get(person, "")
        if isinstance(reason, Exception):
            raise reason
        return reason

    def explain_stop(self, tag: Tag, explanation: Any) -> None:
        self.explained[tag.person] = explanation.what

    async def delete(self, path: str) -> None:
        self.stopped.append(path)


def looking_at(hub: Hub) -> DisabledAccounts:
    fake: Any = hub
    return DisabledAccounts(fake, fake)


async def test_the_session_of_a_disabled_account_is_stopped_and_it_is_said_why() -> None:
    hub = Hub("alice", "bob")
    hub.reasons["bob"] = "locked"
    await looking_at(hub).look(0.0)
    assert hub.stopped == ["/users/bob/servers/"]
    assert hub.explained == {"bob": "The session was stopped, as the account was locked."}
    assert [(event.person, event.why) for event in hub.noted] == [("bob", "locked")]


async def test_who_cannot_be_looked_up_keeps_the_session() -> None:
    hub = Hub("alice")
    hub.reasons["alice"] = BrokerError("The helper refused: there is no such account.")
    looking = looking_at(hub)
    for n in range(LOOKS + 2):
        await looking.look(n * INTERVAL)
    assert hub.stopped == []


async def test_a_directory_that_forgets_groups_for_a_while_ends_no_session() -> None:
    hub = Hub("alice")
    looking = looking_at(hub)
    for n, reason in enumerate(["not-allowed"] * (LOOKS - 1) + ["", "not-allowed"]):
        hub.reasons["alice"] = reason
        await looking.look(n * INTERVAL)
    assert hub.stopped == []
    for n in range(10, 10 + LOOKS - 1):
        await looking.look(n * INTERVAL)
    assert hub.stopped == ["/users/alice/servers/"]


async def test_a_few_are_looked_at_at_a_time_and_each_not_too_often() -> None:
    hub = Hub(*(f"person{n}" for n in range(AT_ONCE + 2)))
    looking = looking_at(hub)
    await looking.look(0.0)
    assert len(hub.asked) == AT_ONCE
    await looking.look(10.0)
    await looking.look(20.0)
    assert sorted(hub.asked) == sorted(hub.jobs)


async def test_other_hubs_sessions_and_forged_tags_are_nobodys_here() -> None:
    hub = Hub()
    for name, tag, state in (
        ("1", Tag("other", "alice", ""), JobState.RUNNING),
        ("2", Tag("hub", "bob", ""), JobState.RUNNING),
        ("3", Tag("hub", "alice", ""), JobState.ENDED),
    ):
        hub.jobs[name] = Job(name, state, tag=str(tag), person="alice")
    await looking_at(hub).look(0.0)
    assert hub.asked == []


async def test_a_stop_that_fails_ends_no_looking() -> None:
    hub = Hub("alice", "bob")
    hub.reasons = {"alice": "locked", "bob": "locked"}

    async def delete(path: str) -> None:
        hub.stopped.append(path)
        raise ClusterhubError("The hub did not take it.")

    hub.delete = delete  # type: ignore[method-assign]
    await looking_at(hub).look(0.0)
    assert len(hub.stopped) == 2
