"""Sessions are told to those who may see the server."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.scopes import parse_scopes
from tornado.web import HTTPError

from clusterhub.hub.sessions import SessionHandler
from clusterhub.schedulers.model import Job, JobState, Snapshot
from clusterhub.schedulers.slurm import SlurmScheduler
from clusterhub.spawner.session_state import SessionState, session_state


def running(job: str, *, ends_in: float | None = 3000.0) -> SessionState:
    now = time.time()
    ends_at = None if ends_in is None else now + ends_in
    record = Job(job, JobState.RUNNING, nodes=("n1",), ends_at=ends_at)
    return session_state(
        cluster="main",
        profile="small",
        job_id=job,
        serves=True,
        scheduler=SlurmScheduler(),
        snapshot=Snapshot(now, {job: record}),
        now=now,
    )


def server(state: SessionState | None, *, active: bool = True, ready: bool = True) -> SimpleNamespace:
    following = SimpleNamespace(absence=None)
    return SimpleNamespace(session_state=state, active=active, ready=ready, following=following)


ALICE = SimpleNamespace(
    spawners={
        "": server(running("17")),
        "x": server(running("18", ends_in=None)),
        "stopped": server(None, active=False, ready=False),
        "starting": server(running("19"), ready=False),
    }
)


def ask(scopes: list[str], *path: str) -> Any:
    """What the handler answers to somebody with these scopes."""
    answers: list[str] = []
    handler = SimpleNamespace(
        current_user=object(),
        expanded_scopes=set(scopes),
        parsed_scopes=parse_scopes(scopes),
        db=None,
        request=SimpleNamespace(path="/hub/api/clusterhub/sessions"),
        find_user={"alice": ALICE}.get,
        set_header=lambda *_: None,
        write=answers.append,
    )
    SessionHandler.get(handler, *path)
    return json.loads(answers[0])


@pytest.mark.parametrize("scopes", [["read:servers!user=alice"], ["read:servers"]])
def test_a_session_is_told_to_the_person_and_to_admins(scopes: list[str]) -> None:
    assert ask(scopes, "alice")["job"] == "17"
    assert ask(scopes, "alice", "x")["job"] == "18"


@pytest.mark.parametrize("path", [("alice", "stopped"), ("alice", "never"), ("nobody%s",)])
def test_a_session_that_is_not_there_is_not_found(path: tuple[str, ...]) -> None:
    with pytest.raises(HTTPError) as refusal:
        ask(["read:servers"], *path)
    assert refusal.value.status_code == 404
    assert "runs or starts" in str(refusal.value)


@pytest.mark.parametrize(
    ("scopes", "status"), [(["read:servers!user=bob"], 404), (["users:activity!user=alice"], 403), ([], 403)]
)
def test_a_session_is_told_to_nobody_else(scopes: list[str], status: int) -> None:
    with pytest.raises(HTTPError) as refusal:
        ask(scopes, "alice")
    assert refusal.value.status_code == status
    assert "runs or starts" not in str(refusal.value.log_message)
