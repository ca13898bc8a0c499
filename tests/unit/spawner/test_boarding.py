"""Only the job that the scheduler says is this person's, on this node, boards, and once."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterhub.schedulers.model import Job, JobState
from clusterhub.session.launcher import VERSION
from clusterhub.spawner.boarding import Later, Refused, parse_claim
from clusterhub.spawner.tickets import Proof

from .claims import CLAIM, TAG
from .expected_session import PROOF, READY, RUNNING, Session


async def test_the_expected_job_boards_and_gets_its_token() -> None:
    session = Session()
    assert await session.claim() == {"environment": {"JUPYTERHUB_API_TOKEN": "token"}}
    assert session.boarded[0].port == 30001


async def test_a_reply_that_was_lost_may_be_asked_for_again_but_by_nobody_else() -> None:
    session = Session()
    await session.claim()
    await session.claim()
    session.vouches = True
    with pytest.raises(Refused, match="boarded already"):
        await session.claim(claim="another")


async def test_a_ticket_that_somebody_has_seen_is_worth_nothing() -> None:
    """Without the tickets that were shown, who overheard a claim would get its answer, too."""
    session = Session()
    await session.claim(ticket=CLAIM["ticket"])
    with pytest.raises(Refused, match="shown before"):
        await session.claim(ticket=CLAIM["ticket"])
    assert len(session.boarded) == 1


async def test_a_session_that_serves_has_had_its_answer() -> None:
    session = Session()
    await session.claim()
    await session.boarding.ready(READY, "token", "10.77.0.11")
    with pytest.raises(Refused, match="boarded already"):
        await session.claim()


async def test_a_run_that_the_scheduler_does_not_know_is_asked_to_come_again() -> None:
    """Or who has one ticket would have as many boardings as there are numbers."""
    session = Session()
    session.vouches = True
    with pytest.raises(Later):
        await session.claim(restart=1)
    assert not session.boarded


async def test_a_job_that_is_over_boards_nowhere_and_others_of_its_session_may_turn_up() -> None:
    session = Session()
    session.boarding.forget(TAG, over="17")
    with pytest.raises(Refused, match="has ended, or its start was given up"):
        await session.claim()
    with pytest.raises(Later):
        await session.claim(job="18")
    session.boarding.expect(session.expectation)  # the scheduler has taken it up again
    await session.claim()


async def test_a_requeued_job_boards_anew() -> None:
    session = Session()
    await session.claim()
    session.job = replace(RUNNING, restarts=1)
    session.vouches = True
    await session.claim(restart=1, claim="new")
    assert len(session.boarded) == 2


@pytest.mark.parametrize("job", [replace(RUNNING, nodes=("n2",)), replace(RUNNING, state=JobState.ENDING)])
async def test_a_run_that_the_last_look_did_not_show_is_asked_to_come_again(job: Job) -> None:
    """A look from before the requeue speaks of another run: by it the new one would be sent away for good."""
    payload = parse_claim({**CLAIM, "restart": 1}).payload
    session = Session(job, replace(PROOF, payload=payload))
    with pytest.raises(Later):
        await session.claim(restart=1)
    session.job = replace(RUNNING, restarts=1)
    await session.claim(restart=1)
    assert len(session.boarded) == 1


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.UNKNOWN])
async def test_a_job_that_is_not_seen_running_is_asked_to_come_again(state: JobState) -> None:
    with pytest.raises(Later):
        await Session(replace(RUNNING, state=state)).claim()


async def test_a_job_or_session_that_is_not_known_yet_is_asked_to_come_again() -> None:
    with pytest.raises(Later):
        await Session(None).claim()
    with pytest.raises(Later):
        await Session().claim(tag="clusterhub:hub:bob:")


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (replace(RUNNING, person="bob"), "not this session's"),
        (replace(RUNNING, tag="clusterhub:hub:bob:"), "not this session's"),
        (replace(RUNNING, tag=""), "not this session's"),
        (replace(RUNNING, nodes=("n2",)), "on n2"),
        (replace(RUNNING, restarts=1), "restarted"),
        (replace(RUNNING, state=JobState.ENDED), "ended"),
        (replace(RUNNING, state=JobState.ENDING), "ended"),
    ],
)
async def test_a_job_that_the_scheduler_knows_otherwise_is_refused(job: Job, said: str) -> None:
    session = Session(job)
    with pytest.raises(Refused, match=said):
        await session.claim()
    assert not session.boarded


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        (replace(PROOF, uid=1002), "another person's"),
        (replace(PROOF, payload="{}"), "another claim"),
    ],
)
async def test_a_ticket_that_vouches_for_something_else_is_refused(proof: Proof, said: str) -> None:
    session = Session(proof=proof)
    with pytest.raises(Refused, match=said):
        await session.claim()
    assert not session.boarded


@pytest.mark.parametrize(
    "changes",
    [
        {"version": VERSION + 1},
        {"version": True},
        {"port": 0},
        {"port": 65536},
        {"port": "30001"},
        {"restart": -1},
        {"restart": 10**4000},
        {"claim": "é"},
        {"claim": "\ud800"},
        {"node": "n1\n"},
        {"job": "1" * 600},  # it would be said again in the log, by whoever likes
        {"tag": "clusterhub:hub:\u00e9:"},
        {"ticket": {"kind": "munge", "value": "MUNGE:\ud800:"}},
        {"version": [[[]]]},
        {"\ud800": 1},
        {"address": "evil.example.org"},
        {"address": "0.0.0.0"},  # noqa: S104 - not bound to
        {"address": "224.0.0.1"},
        {"address": "::ffff:0.0.0.0"},
        {"address": "fd00::1%@elsewhere"},
        {"node": None},
        {"node": "n" * 9000},
        {"ticket": "MUNGE"},
        {"ticket": {"kind": "munge"}},
        {"ticket": {"kind": "munge", "value": "MUNGE", "more": 1}},
        {"more": 1},
    ],
)
async def test_a_claim_has_exactly_the_documented_fields(changes: dict[str, object]) -> None:
    with pytest.raises(Refused):
        await Session().claim(**changes)


@pytest.mark.parametrize("claim", ["é", "\ud800", "ÿ" * 6])
async def test_a_second_claim_is_refused_whatever_its_characters(claim: str) -> None:
    session = Session(proof=replace(PROOF, payload=None))
    await session.claim()
    with pytest.raises(Refused, match="ASCII"):
        await session.claim(claim=claim)


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from([*CLAIM, "kind", "value"]), inner, max_size=10)
        ),
        max_leaves=20,
    )
)
def test_anything_else_is_refused_and_never_an_error_of_ours(body: object) -> None:
    with pytest.raises(Refused):
        parse_claim(body)


async def test_a_session_that_shows_its_token_is_ready() -> None:
    session = Session()
    await session.boarding.ready(READY, "token", "10.77.0.11")
    assert [ready.port for ready in session.readies] == [30001]


@pytest.mark.parametrize(
    ("changes", "token", "job"),
    [
        ({}, "another", RUNNING),
        ({}, "", RUNNING),
        ({"more": 1}, "token", RUNNING),
        ({}, "token", replace(RUNNING, person="bob")),
        ({}, "token", replace(RUNNING, nodes=("n2",))),
        ({}, "token", replace(RUNNING, state=JobState.ENDED)),
    ],
)
async def test_nothing_else_makes_it_ready(changes: dict[str, object], token: str, job: Job) -> None:
    session = Session(job)
    with pytest.raises(Refused):
        await session.boarding.ready({**READY, **changes}, token, "10.77.0.11")
    assert not session.readies
